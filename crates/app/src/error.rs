//! Why an app can't start, or a new version of it can't take over.

use crate::{ledger::LedgerError, manifest::ManifestErrors};
use sandbar_engine::LoadError;
use sandbar_triggers::http::{BindError, TlsError};
use std::{fmt, io};

/// Why an app can't start.
#[derive(Debug)]
pub enum AppError {
    /// The manifest, or a guest or route that it names.
    Manifest(ManifestErrors),
    /// The engine.
    Engine(LoadError),
    /// The listener.
    Listen(BindError),
    /// The certificate.
    Tls(TlsError),
    /// The ledger's file.
    Ledger(LedgerError),
    /// The system gives no thread, or no random numbers.
    System(io::Error),
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppError::Manifest(errors) => write!(f, "{errors}"),
            AppError::Engine(error) => write!(f, "{error}"),
            AppError::Listen(error) => write!(f, "{error}"),
            AppError::Tls(error) => write!(f, "{error}"),
            AppError::Ledger(error) => write!(f, "{error}"),
            AppError::System(error) => write!(f, "can't start: {error}"),
        }
    }
}

impl std::error::Error for AppError {}

impl From<ManifestErrors> for AppError {
    fn from(errors: ManifestErrors) -> Self {
        AppError::Manifest(errors)
    }
}

impl From<LoadError> for AppError {
    fn from(error: LoadError) -> Self {
        AppError::Engine(error)
    }
}

impl From<BindError> for AppError {
    fn from(error: BindError) -> Self {
        AppError::Listen(error)
    }
}

impl From<TlsError> for AppError {
    fn from(error: TlsError) -> Self {
        AppError::Tls(error)
    }
}

impl From<LedgerError> for AppError {
    fn from(error: LedgerError) -> Self {
        AppError::Ledger(error)
    }
}
