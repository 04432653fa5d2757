//! `doorward user import`: accounts from a file, one a line.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    account::{ImportError, ImportedUser},
    cli::accounts::{Desk, Where, at_desk, say},
    clock,
    store::CreateError,
};

/// Make accounts from a file: CSV with a line of column names, or JSON lines
///
/// Columns and keys: username, user_store, password_hash (bcrypt, PBKDF2, scrypt, argon2, {SSHA}, {wso2-sha256} …) or
/// password, must_change_password, email, mobile, given_name, family_name, roles (in CSV separated by ;), disabled, locked,
/// claims (in CSV columns claims.NAME). Lines with a mistake are named and left out; all others are taken.
#[derive(clap::Args)]
pub struct Options {
    /// `….csv`, or `….jsonl`; `-` reads JSON lines from standard input
    #[arg(value_name = "FILE")]
    people: PathBuf,
    #[command(flatten)]
    at: Where,
    /// Accounts that exist already are no mistake; they stay as they are
    #[arg(long)]
    skip_existing: bool,
}

type Lines = Box<dyn Iterator<Item = (u64, Result<ImportedUser, String>)>>;

pub fn run(options: &Options) -> ExitCode {
    at_desk(&options.at, async |desk| {
        let lines = open(&options.people)?;
        let tally = take(&desk, lines, options).await?;
        if desk.json {
            let Tally { imported, existing, mistakes } = tally;
            say(&serde_json::json!({ "imported": imported, "existing": existing, "mistakes": mistakes })
                .to_string());
        } else {
            say(&format!("{} imported, {} there already", tally.imported, tally.existing));
        }
        match tally.mistakes {
            0 => Ok(()),
            1 => bail!("1 line was left out"),
            many => bail!("{many} lines were left out"),
        }
    })
}

#[derive(Default)]
struct Tally {
    imported: u64,
    existing: u64,
    mistakes: u64,
}

async fn take(desk: &Desk, lines: Lines, options: &Options) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut told = Instant::now();
    let watched = io::stderr().is_terminal();
    for (number, user) in lines {
        let imported = match user {
            Ok(user) => desk.doors.import(&desk.policy.tenant, user, clock::millis()).await,
            Err(problem) => {
                complain(&options.people, number, &problem);
                tally.mistakes += 1;
                continue;
            }
        };
        match imported {
            Ok(_) => tally.imported += 1,
            Err(ImportError::Create(CreateError::NameTaken)) if options.skip_existing => tally.existing += 1,
            // not this line's fault: the next would fail as well
            Err(ImportError::Store(error) | ImportError::Create(CreateError::Store(error))) => {
                return Err(error).context(format!("line {number}; those before it are imported"));
            }
            Err(problem) => {
                complain(&options.people, number, &problem.to_string());
                tally.mistakes += 1;
            }
        }
        if watched && told.elapsed() > Duration::from_secs(1) {
            told = Instant::now();
            let _ = write!(io::stderr(), "\r{number} lines, {} imported", tally.imported);
        }
    }
    if watched {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(tally)
}

fn complain(file: &Path, line: u64, problem: &str) {
    let _ = writeln!(io::stderr(), "{}:{line}: {problem}", file.display());
}

fn open(file: &Path) -> anyhow::Result<Lines> {
    if file == Path::new("-") {
        return Ok(json_lines(io::stdin().lock()));
    }
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    match file.extension().and_then(|end| end.to_str()) {
        Some("csv") => csv_rows(opened),
        Some("json" | "jsonl" | "ndjson") => Ok(json_lines(BufReader::new(opened))),
        _ => bail!("{}: name it ….csv or ….jsonl, so that it is clear how to read it", file.display()),
    }
}

fn json_lines(from: impl io::BufRead + 'static) -> Lines {
    Box::new(from.lines().zip(1..).filter_map(|(line, number)| {
        let user = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => ImportedUser::of_json(&line),
            Err(error) => Err(error.to_string()),
        };
        Some((number, user))
    }))
}

fn csv_rows(from: impl io::Read + 'static) -> anyhow::Result<Lines> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(from);
    let names = reader.headers().context("the line of column names")?.clone();
    Ok(Box::new(reader.into_records().map(move |row| match row {
        Ok(row) => {
            let number = row.position().map_or(0, csv::Position::line);
            (number, ImportedUser::of_csv(names.iter().zip(row.iter())))
        }
        Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.to_string())),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        let csv = "username , email\nalex,a@x.org\n\"two\nlines\",\nkim\nsam,s@x.org\n";
        let rows: Vec<_> = csv_rows(csv.as_bytes()).unwrap().collect();
        let names: Vec<_> = rows
            .iter()
            .map(|(line, user)| (*line, user.as_ref().ok().map(|user| user.username.as_str())))
            .collect();
        assert_eq!(names, [(2, Some("alex")), (3, Some("two\nlines")), (5, None), (6, Some("sam"))]);
        let json = "{\"username\": \"alex\"}\n\n{\n";
        let rows: Vec<_> = json_lines(json.as_bytes()).map(|(line, user)| (line, user.is_ok())).collect();
        assert_eq!(rows, [(1, true), (3, false)]);
    }
}
