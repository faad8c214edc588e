//! Signs a plugin's files, and checks their signatures.

use super::{
    FolderError, PluginState,
    place::{Root, write_file},
    scan::{Offer, find, signatures_path},
};
use crate::signing::{
    KeyId, PublicKey, SIGNATURE_BYTES_MAX, SIGNATURES_MAX, SecretKey, SectionError, SignatureError, Signatures,
    Statement, embed, split,
};
use sandbar_engine::inspect::GUEST_BYTES_MAX;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where signatures are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In a file beside the guest: `users.wasm.sig`.
    Beside,
    /// In the guest, as its last section.
    Inside,
}

/// A plugin that was signed, or whose signature was found right.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What was signed.
    pub statement: Statement,
    /// The file that holds the signature, where it was written.
    pub path: Option<PathBuf>,
    /// Those of the keys that signed it.
    pub signers: Vec<KeyId>,
}

/// Why a plugin is not signed.
#[derive(Debug)]
pub enum SignError {
    /// It can't be read or written.
    Folder(FolderError),
    /// Its signatures are wrong, or none can be added.
    Signature(SignatureError),
    /// It has no signature.
    Unsigned,
    /// Only a guest in binary can hold its signatures.
    NotBinary,
}

/// Signs the plugin of a guest or a manifest. Signatures by other keys stay, and one by the same key is replaced.
///
/// # Errors
/// The plugin can't be read, or its signatures can't be written.
pub fn sign(path: impl AsRef<Path>, key: &SecretKey, keep: Keep) -> Result<Signed, SignError> {
    let (root, offer) = read(path.as_ref())?;
    let signature = key.sign(&offer.statement);
    let guest = root.read(&offer.guest, GUEST_BYTES_MAX)?.unwrap_or_default();
    let split = split(&guest).map_err(|error| match error {
        SectionError::Signature(error) => SignError::Signature(error),
        error => SignError::Folder(FolderError::Guest(error)),
    })?;
    let added = |mut signatures: Signatures| {
        signatures.add(signature.clone());
        if signatures.len() > SIGNATURES_MAX {
            return Err(SignatureError::Form(format!("there would be more than {SIGNATURES_MAX}")));
        }
        Ok(signatures)
    };
    let written = match keep {
        Keep::Inside => {
            let signatures = added(split.signatures.unwrap_or_default())?;
            let bytes = embed(split.guest, &signatures).map_err(|_| SignError::NotBinary)?;
            write_file(&offer.guest, &bytes)?;
            offer.guest.clone()
        }
        Keep::Beside => {
            let path = signatures_path(&offer.guest);
            let text = root.read(&path, SIGNATURE_BYTES_MAX)?.unwrap_or_default();
            // What can't be read is no signature that anybody would miss.
            let before = String::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
            write_file(&path, added(before)?.to_string().as_bytes())?;
            path
        }
    };
    Ok(Signed { statement: offer.statement, path: Some(written), signers: vec![key.public().id()] })
}

/// Checks the signatures of the plugin of a guest or a manifest.
///
/// # Errors
/// None of these keys signed it as it is.
pub fn verify(path: impl AsRef<Path>, keys: &[PublicKey]) -> Result<Signed, SignError> {
    let (_, offer) = read(path.as_ref())?;
    let signers = offer.signatures?.verify(&offer.statement, keys)?;
    if signers.is_empty() {
        return Err(SignError::Unsigned);
    }
    Ok(Signed { statement: offer.statement, path: None, signers })
}

fn read(path: &Path) -> Result<(Root, Offer), SignError> {
    let (root, found) = find(path)?;
    let offer = found.read(&root)?;
    let is_manifest = path.extension().is_some_and(|ending| ending == "toml");
    let same = |path: &Path, other: &Path| {
        path.canonicalize().ok().is_some_and(|path| Some(path) == other.canonicalize().ok())
    };
    if !is_manifest && !same(path, &offer.guest) {
        let problem = format!("its guest is `{}`, and not `{}`", offer.guest.display(), path.display());
        return Err(FolderError::Form { path: found.place().to_owned(), problem }.into());
    }
    Ok((root, offer))
}

impl From<FolderError> for SignError {
    fn from(error: FolderError) -> SignError {
        SignError::Folder(error)
    }
}

impl From<SignatureError> for SignError {
    fn from(error: SignatureError) -> SignError {
        SignError::Signature(error)
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignError::Folder(error) => error.fmt(f),
            SignError::Signature(error) => error.fmt(f),
            SignError::Unsigned => PluginState::Unsigned.fmt(f),
            SignError::NotBinary => f.write_str("only a guest in binary can hold its signatures; keep them beside it"),
        }
    }
}

impl std::error::Error for SignError {}
