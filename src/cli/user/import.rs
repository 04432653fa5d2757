//! `doorward user import`: accounts from a file, one a line.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};

use super::progress::{FilePosition, ImportProgress, Tally};
use crate::{
    account::{IMPORT_BATCH, ImportError, ImportedUser},
    cli::command_context::{CommandContext, TenantArgs, print_line, with_tenant_accounts},
    store::CreateError,
};

/// Make accounts from a file: CSV with a line of column names, or JSON lines
///
/// Columns and keys: username, user_store, password_hash (bcrypt, PBKDF2, scrypt, argon2, {SSHA}, {wso2-sha256} …) or
/// password, must_change_password, email, mobile, given_name, family_name, roles (in CSV separated by ;), disabled, locked,
/// claims (in CSV columns claims.NAME). Lines with a mistake are named and left out; all others are taken.
///
/// An import that was interrupted is begun again with --skip-existing: existing names are recognised. Progress
/// is written to standard error, with --json in lines of JSON.
#[derive(clap::Args)]
pub struct Options {
    /// `….csv`, or `….jsonl`; `-` reads JSON lines from standard input
    #[arg(value_name = "FILE")]
    people: PathBuf,
    #[command(flatten)]
    at: TenantArgs,
    /// Accounts that exist already are no mistake; they stay as they are
    #[arg(long)]
    skip_existing: bool,
}

type ImportLines = Box<dyn Iterator<Item = (u64, anyhow::Result<ImportedUser>)>>;

pub fn run(options: &Options) -> ExitCode {
    with_tenant_accounts(&options.at, async |context| {
        let (lines, position) = open_file(&options.people)?;
        let import = Import::new(&context, options, ImportProgress::start(position, context.json));
        let tally = import.run(lines).await?;
        if context.json {
            print_line(&serde_json::json!(tally).to_string());
        } else {
            print_line(&format!("{} imported, {} there already", tally.imported, tally.existing));
        }
        match tally.mistakes {
            0 => Ok(()),
            1 => bail!("1 line was left out"),
            many => bail!("{many} lines were left out"),
        }
    })
}

struct Import<'a> {
    context: &'a CommandContext,
    file: String,
    skip_existing: bool,
    progress: ImportProgress,
    tally: Tally,
}

impl<'a> Import<'a> {
    fn new(context: &'a CommandContext, options: &Options, progress: ImportProgress) -> Self {
        Self {
            context,
            file: options.people.display().to_string(),
            skip_existing: options.skip_existing,
            progress,
            tally: Tally::default(),
        }
    }

    async fn run(mut self, mut lines: ImportLines) -> anyhow::Result<Tally> {
        loop {
            let mut line_count = 0;
            let mut numbers = Vec::with_capacity(IMPORT_BATCH);
            let mut users = Vec::with_capacity(IMPORT_BATCH);
            for (number, user) in lines.by_ref().take(IMPORT_BATCH) {
                line_count += 1;
                match user {
                    Ok(user) => {
                        numbers.push(number);
                        users.push(user);
                    }
                    Err(problem) => self.reject_line(number, &problem.to_string()),
                }
                self.progress.show(number, self.tally);
            }
            if let Some(first) = numbers.first() {
                self.batch(*first, &numbers, users).await?;
            }
            if line_count < IMPORT_BATCH {
                break;
            }
        }
        self.progress.clear();
        Ok(self.tally)
    }

    async fn batch(&mut self, first: u64, numbers: &[u64], users: Vec<ImportedUser>) -> anyhow::Result<()> {
        let outcomes =
            self.context.accounts.import.run(&self.context.policy.tenant, users, self.context.now()).await;
        // not the fault of these lines: the next would fail as well
        let outcomes = outcomes.with_context(|| {
            self.progress.clear();
            format!(
                "line {first}; those before it are imported, and the same command with --skip-existing goes on from here"
            )
        })?;
        for (number, outcome) in numbers.iter().zip(outcomes) {
            match outcome {
                Ok(_) => self.tally.imported += 1,
                Err(ImportError::Create(CreateError::NameTaken)) if self.skip_existing => {
                    self.tally.existing += 1;
                }
                Err(problem) => self.reject_line(*number, &problem.to_string()),
            }
        }
        Ok(())
    }

    fn reject_line(&mut self, number: u64, problem: &str) {
        self.progress.report_problem(&self.file, number, problem);
        self.tally.mistakes += 1;
    }
}

fn open_file(file: &Path) -> anyhow::Result<(ImportLines, FilePosition)> {
    if file == Path::new("-") {
        return Ok((json_lines(io::stdin().lock()), FilePosition::default()));
    }
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    let position = FilePosition::of(&opened);
    let counted = position.count_reads(opened);
    let lines = match file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => csv_rows(counted)?,
        Some("json" | "jsonl" | "ndjson") => json_lines(BufReader::new(counted)),
        _ => bail!("{}: name it ….csv or ….jsonl, so that it is clear how to read it", file.display()),
    };
    Ok((lines, position))
}

fn json_lines(from: impl io::BufRead + 'static) -> ImportLines {
    Box::new(from.lines().zip(1..).filter_map(|(line, number)| {
        let user = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => ImportedUser::from_json(&line).map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        Some((number, user))
    }))
}

fn csv_rows(from: impl io::Read + 'static) -> anyhow::Result<ImportLines> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(from);
    let names = reader.headers().context("the line of column names")?.clone();
    Ok(Box::new(reader.into_records().map(move |row| match row {
        Ok(row) => {
            let number = row.position().map_or(0, csv::Position::line);
            (number, ImportedUser::from_csv(names.iter().zip(row.iter())).map_err(Into::into))
        }
        Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.into())),
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
