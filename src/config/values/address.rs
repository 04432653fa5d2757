//! Sockets, networks and files.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;

use crate::config::{
    model::AccessLogTarget,
    text_form::{AsText, InvalidValue, TextForm},
};

impl TextForm for SocketAddr {
    const EXPECTED: &'static str = "an IP address and port such as \"0.0.0.0:8080\" or \"[::]:8080\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        written
            .parse()
            .map_err(|_| InvalidValue::new(format!("{written:?} is not an IP address with a port")))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A listen address that can be disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionalListen(pub Option<SocketAddr>);

impl TextForm for OptionalListen {
    const EXPECTED: &'static str = "an IP address and port such as \"127.0.0.1:9901\", or \"off\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written == "off" {
            Ok(Self(None))
        } else {
            SocketAddr::from_text(written).map(|at| Self(Some(at)))
        }
    }

    fn to_text(&self) -> String {
        self.0.map_or_else(|| "off".to_owned(), |at| at.to_string())
    }
}

impl TextForm for IpNet {
    const EXPECTED: &'static str = "an IP address or network such as \"10.0.0.0/8\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let network = written.parse().or_else(|_| written.parse::<IpAddr>().map(Self::from));
        network.map_err(|_| InvalidValue::new(format!("{written:?} is not an IP address or network")))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A file or folder; relative to the folder of the file it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(pub PathBuf);

impl FilePath {
    /// As it would be written.
    pub fn written(path: &Path) -> AsText<Self> {
        AsText(Self(path.to_owned()))
    }
}

impl TextForm for FilePath {
    const EXPECTED: &'static str = "a path, relative to the folder of this file";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written.is_empty() || written.contains('\0') {
            Err(InvalidValue::new("this is not a path"))
        } else {
            Ok(Self(written.into()))
        }
    }

    fn to_text(&self) -> String {
        self.0.display().to_string()
    }
}

impl TextForm for AccessLogTarget {
    const EXPECTED: &'static str = "\"off\", \"stdout\", or the path of a file";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match written {
            "off" => Ok(Self::Off),
            "stdout" => Ok(Self::Stdout),
            path => FilePath::from_text(path).map(|path| Self::File(path.0)),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}
