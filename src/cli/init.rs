//! `doorward init`: writes a commented configuration to begin with.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use clap::ValueEnum;

use super::output_folder::{ConfigFile, OutputError, write_files};

/// Write a commented configuration to start from
#[derive(clap::Args)]
pub struct Options {
    /// Where to write it
    #[arg(default_value = "config")]
    folder: PathBuf,
    /// The kind of portal: generic, or WSO2 API Manager's developer portal
    #[arg(long, value_enum, default_value_t = InitProfile::Wso2Apim)]
    profile: InitProfile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InitProfile {
    Generic,
    Wso2Apim,
}

/// The published files; the configuration itself last, so that it is never there without the rest.
const FILES: [(&str, &str); 4] = [
    ("deployment.schema.json", include_str!("../../config/deployment.schema.json")),
    ("tenant-conf.schema.json", include_str!("../../config/tenant-conf.schema.json")),
    (
        "tenants/carbon.super/tenant-conf.json",
        include_str!("../../config/tenants/carbon.super/tenant-conf.json"),
    ),
    (DEPLOYMENT, include_str!("../../config/deployment.toml")),
];

const DEPLOYMENT: &str = "deployment.toml";

/// The published configuration has an example tenant; a new configuration has none that could claim a host.
const FOR_ALL: [(&str, &str); 1] = [("\nclaimable_hosts = ", "\n# claimable_hosts = ")];

/// Where the profile `generic` has other defaults.
const FOR_GENERIC: [(&str, &str); 10] = [
    (
        "#named_by_request = true            # ?tenant=, /t/{tenant}/ and X-WSO2-Tenant; in the profile \"generic\" it is false",
        "#named_by_request = false           # true: ?tenant=, /t/{tenant}/ and X-WSO2-Tenant name a tenant",
    ),
    (
        "#on_missing = \"inherit\"             # a tenant's folder without a file; in the profile \"generic\" it is \"closed\"",
        "#on_missing = \"closed\"              # a tenant's folder without a file; or \"inherit\"",
    ),
    (
        "#authorization = \"doorward\"         # the owner of the Authorization header, or \"portal\"; in the profile \"generic\" it is \"auto\"",
        "#authorization = \"auto\"             # the owner of the Authorization header; or \"doorward\", \"portal\"",
    ),
    (
        "enable_anonymous_mode = true\n",
        "enable_anonymous_mode = false          # true: what no [[access.route]] names is public\n",
    ),
    (
        "#profile = \"wso2-apim\"              # or \"generic\": then only [[access.route]] says which paths it has",
        "profile = \"generic\"                 # only [[access.route]] says which paths it has; or \"wso2-apim\"",
    ),
    (
        "#selection_page = true              # in the profile \"generic\" it is false",
        "#selection_page = false",
    ),
    (
        "#url = \"/devportal/services/configs?tenant={tenant}\"",
        "# url = \"/login?next={return_path}\"   # where browsers sign in",
    ),
    (
        "#forward_token = true               # the portal gets the Authorization header; in the profile \"generic\" it is false",
        "#forward_token = false              # true: the portal gets the Authorization header",
    ),
    (
        "#identity_headers = \"wso2\"          # \"oauth2-proxy\", \"authelia\", \"none\"; in the profile \"generic\" it is \"oauth2-proxy\"",
        "#identity_headers = \"oauth2-proxy\"  # \"authelia\", \"wso2\", \"none\"",
    ),
    (
        "# [[access.route]]\n# match = \"GET,HEAD /docs/**\"",
        "# What no rule names follows the anonymous mode.\n# [[access.route]]\n# match = \"GET,HEAD /docs/**\"",
    ),
];

/// Exit code 0: written. 1: not, and why is on standard error.
pub fn run(options: &Options) -> ExitCode {
    match write(&options.folder, options.profile) {
        Ok(()) => {
            let file = options.folder.join(DEPLOYMENT);
            let _ = writeln!(
                io::stdout(),
                "written: {file}\nnext:    doorward check --config {file}",
                file = file.display()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", super::error_chain_text(&error));
            ExitCode::FAILURE
        }
    }
}

fn text(name: &str, published: &'static str, profile: InitProfile) -> Cow<'static, str> {
    if name != DEPLOYMENT {
        return published.into();
    }
    let for_profile: &[(&str, &str)] = match profile {
        InitProfile::Generic => &FOR_GENERIC,
        InitProfile::Wso2Apim => &[],
    };
    let edits = FOR_ALL.iter().chain(for_profile);
    edits.fold(published.to_owned(), |text, (from, to)| text.replacen(from, to, 1)).into()
}

fn write(folder: &Path, profile: InitProfile) -> anyhow::Result<()> {
    let files = FILES.map(|(name, published)| ConfigFile {
        name: name.to_owned(),
        text: text(name, published, profile),
        is_secret: false,
    });
    match write_files(folder, &files, false) {
        Ok(_) => Ok(()),
        Err(error @ OutputError::NotAFolder(_)) => bail!("{error}: doorward init FOLDER"),
        Err(OutputError::Exists(paths)) => {
            let it = if paths.len() == 1 { "it" } else { "them" };
            let error = OutputError::Exists(paths);
            bail!("{error}. Move {it} away, or name another folder: doorward init FOLDER")
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::{
        config::{check::check, load::load, model},
        domain::time::Timestamp,
    };

    #[test]
    fn generated_configuration_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        for (profile, meant) in [
            (InitProfile::Wso2Apim, model::PortalProfile::Wso2Apim),
            (InitProfile::Generic, model::PortalProfile::Generic),
        ] {
            let new = folder.path().join(format!("{profile:?}"));
            write(&new, profile).unwrap();
            let file = new.join(DEPLOYMENT);
            let report = check(&file, &BTreeMap::new(), Timestamp::EPOCH);
            assert!(report.is_clean() && report.tenants == 1, "{report:#?}");
            let settings = load(&file, &BTreeMap::new()).unwrap();
            assert_eq!(settings.portal.profile, meant);
            assert!(settings.tenancy.claimable_hosts.is_empty());
        }
    }

    #[test]
    fn attack_secrets_in_a_configuration_that_every_user_can_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), InitProfile::Generic).unwrap();
        for (name, _) in FILES {
            let mode = folder.path().join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o137, 0, "{name}: {mode:o}");
        }
    }

    /// An edit that finds nothing has been forgotten when the published file was changed.
    #[test]
    fn each_edit_finds_its_one_place() {
        let (_, published) = FILES[FILES.len() - 1];
        for (from, _) in FOR_ALL.iter().chain(&FOR_GENERIC) {
            assert_eq!(published.matches(from).count(), 1, "{from}");
        }
    }

    /// The values after `#` are the profile's defaults: uncommented, they change nothing.
    #[test]
    fn shown_defaults_match_the_profile() {
        for profile in [InitProfile::Wso2Apim, InitProfile::Generic] {
            let (name, published) = FILES[FILES.len() - 1];
            let written = text(name, published, profile);
            let shown =
                |line: &str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
            let all: String = written
                .lines()
                .filter(|line| !line.starts_with("#workers"))
                .map(|line| if shown(line) { &line[1..] } else { line })
                .flat_map(|line| [line, "\n"])
                .collect();
            let file = Path::new("/etc/doorward/deployment.toml");
            let effective = |text: &str| {
                let settings = crate::config::load::parse(text, file, &BTreeMap::new()).unwrap();
                crate::config::effective::to_toml(&settings)
            };
            assert_eq!(effective(&all), effective(&written), "{profile:?}");
        }
    }

    #[test]
    fn second_init_names_existing_files_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for (name, _) in FILES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            let message = write(folder.path(), InitProfile::Generic).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{} is there already", path.display())), "{message}");
            assert!(
                message.contains("Move it away") && message.contains("doorward init FOLDER"),
                "{message}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
            fs::remove_file(&path).unwrap();
        }
        write(folder.path(), InitProfile::Generic).unwrap();
        let message = write(folder.path(), InitProfile::Generic).unwrap_err().to_string();
        assert!(
            FILES.iter().all(|(name, _)| message.contains(name)) && message.contains("Move them away"),
            "{message}"
        );
    }
}
