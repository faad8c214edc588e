//! Keys, and the files that hold them.

use super::{SIGNATURE_BYTES_MAX, Signature, Statement, digest, from_hex, hex};
use crate::folder::{FolderError, read_file};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

/// The first line of a public key's file.
const PUBLIC: &str = "sandbar-public-key-1";
/// The first line of a secret key's file.
const SECRET: &str = "sandbar-secret-key-1";

/// What signatures are checked with: an Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// What names a key in signatures and approvals: the first eight bytes of the SHA-256 of the public key, in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

/// What signatures are made with. Its file is for its owner alone.
pub struct SecretKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    /// The file can't be read.
    Read(FolderError),
    /// The file can't be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is none of a key of this kind.
    Form {
        /// What it should be.
        expected: &'static str,
    },
    /// Others than its owner may read or write the file of a secret key.
    Open {
        /// The file.
        path: PathBuf,
    },
    /// There is no randomness to be had.
    Random,
}

impl PublicKey {
    /// Reads a key from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> PublicKey {
        PublicKey(bytes)
    }

    /// Gives its 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the file of a public key.
    ///
    /// # Errors
    /// It can't be read, or is none.
    pub fn read(path: impl AsRef<Path>) -> Result<PublicKey, KeyError> {
        text(path.as_ref(), "the file of a public key")?.parse()
    }

    /// What names it.
    pub fn id(&self) -> KeyId {
        let mut id = KeyId([0; 8]);
        id.0.iter_mut().zip(digest(&self.0).0).for_each(|(byte, from)| *byte = from);
        id
    }

    pub(super) fn verifies(&self, statement: &Statement, signature: &[u8; 64]) -> bool {
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, self.0);
        key.verify(statement.message().as_bytes(), signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads the text of a public key's file.
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        match lines(text)[..] {
            [PUBLIC, key] => from_hex(key).map(PublicKey),
            _ => None,
        }
        .ok_or(KeyError::Form { expected: "`sandbar-public-key-1`, and 64 hexadecimal digits on the next line" })
    }
}

impl fmt::Display for PublicKey {
    /// Writes the text of its file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PUBLIC}\n{}", hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex(&self.0))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<KeyId, &'static str> {
        from_hex(text).map(KeyId).ok_or("the id of a key is 16 hexadecimal digits")
    }
}

impl SecretKey {
    /// Makes a key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<SecretKey, KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Random)?;
        SecretKey::from_seed(seed)
    }

    /// Makes the key of a seed, which has to be secret.
    ///
    /// # Errors
    /// None that is known: every seed has a key.
    pub fn from_seed(seed: [u8; 32]) -> Result<SecretKey, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Form { expected: "a seed" })?;
        Ok(SecretKey { pair, seed })
    }

    /// Reads the file of a secret key.
    ///
    /// # Errors
    /// It can't be read, is none, or others than its owner may touch it.
    pub fn read(path: impl AsRef<Path>) -> Result<SecretKey, KeyError> {
        const EXPECTED: &str =
            "`sandbar-secret-key-1`, and on the next two lines the seed and the public key, 64 hexadecimal digits each";
        let path = path.as_ref();
        let text = text(path, "the file of a secret key")?;
        let [SECRET, seed, public] = lines(&text)[..] else { return Err(KeyError::Form { expected: EXPECTED }) };
        let mode = fs::metadata(path).map(|meta| meta.permissions().mode());
        if mode.map_or(true, |mode| mode & 0o077 != 0) {
            return Err(KeyError::Open { path: path.to_owned() });
        }
        let key = from_hex(seed).ok_or(KeyError::Form { expected: EXPECTED }).and_then(SecretKey::from_seed)?;
        if from_hex(public) == Some(key.public().0) { Ok(key) } else { Err(KeyError::Form { expected: EXPECTED }) }
    }

    /// Writes a new file, which only its owner may read.
    ///
    /// # Errors
    /// It is there already, or can't be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), KeyError> {
        let path = path.as_ref();
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            writeln!(file, "{SECRET}\n{}\n{}", hex(&self.seed), hex(&self.public().0))?;
            file.sync_all()
        };
        write().map_err(|error| KeyError::Write { path: path.to_owned(), error })
    }

    /// The key that its signatures are checked with.
    pub fn public(&self) -> PublicKey {
        let mut public = PublicKey([0; 32]);
        public.0.copy_from_slice(self.pair.public_key().as_ref());
        public
    }

    /// Signs a statement.
    pub fn sign(&self, statement: &Statement) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(statement.message().as_bytes()).as_ref());
        Signature { key: self.public().id(), bytes }
    }
}

impl fmt::Debug for SecretKey {
    /// Shows which key it is, and nothing that is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id())
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Read(error) => error.fmt(f),
            KeyError::Write { path, error } => write!(f, "can't write `{}`: {error}", path.display()),
            KeyError::Form { expected } => write!(f, "it is no such key: expected {expected}"),
            KeyError::Open { path } => write!(
                f,
                "others than its owner may touch `{}`, which is a secret key; type `chmod 600 {}`",
                path.display(),
                path.display()
            ),
            KeyError::Random => f.write_str("the system gives no randomness"),
        }
    }
}

impl std::error::Error for KeyError {}

fn text(path: &Path, expected: &'static str) -> Result<String, KeyError> {
    let bytes = read_file(path, SIGNATURE_BYTES_MAX).map_err(KeyError::Read)?;
    String::from_utf8(bytes).map_err(|_| KeyError::Form { expected })
}

/// The lines of a key's file, without comments.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}
