//! Why a file that a configuration names cannot be used.

use std::io;

/// Never holds content of the file: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("there is nothing in it")]
    Empty,
    #[error("longer than 64 KiB")]
    TooLong,
    #[error("its folder does not exist")]
    NoFolder,
    #[error("this is not PEM")]
    NotPem,
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("there is no private key in it")]
    NoPrivateKey,
    #[error("it does not belong to the certificate: {0}")]
    OtherCertificate(rustls::Error),
    #[error("this is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("there is no list `keys` in it")]
    NoKeyList,
    #[error("there is no public key in it")]
    NoPublicKey,
    #[error("there is a private key in it; only the public half belongs here")]
    PrivateKeyInKeySet,
    #[error("none of its keys can be used")]
    NoUsableKey,
}
