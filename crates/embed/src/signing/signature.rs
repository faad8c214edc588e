//! What is signed, and the lines that signatures are written in.

use super::{KeyId, PublicKey, from_hex, hex};
use sandbar_call::Digest;
use std::{fmt, str::FromStr};

/// The first word of a signature's line, and the version of its form.
const FORM: &str = "sandbar-signature-1";
/// How many signatures a plugin may have.
pub const SIGNATURES_MAX: usize = 16;

/// States what a plugin is: what is signed, and what an approval is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The plugin's name.
    pub name: String,
    /// The digest of its guest's file, without a section of signatures.
    pub guest: Digest,
    /// The digest of its manifest's file, where it has one.
    pub manifest: Option<Digest>,
}

/// One signature, and the key that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// What names the key.
    pub key: KeyId,
    pub(super) bytes: [u8; 64],
}

/// Signatures of one plugin, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures(Vec<Signature>);

/// What is wrong with the signatures of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// They are not in their form.
    Form(String),
    /// None is by a key that is known.
    Unknown(Vec<KeyId>),
    /// This key is known, and did not sign this.
    Wrong(KeyId),
    /// The section of signatures is not the last one of the guest, so that something was appended to what was signed.
    NotLast,
    /// The guest has more than one section of signatures.
    Repeated,
}

impl Statement {
    /// What is signed: four lines, which begin with what they are for.
    pub fn message(&self) -> String {
        let manifest = self.manifest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        format!("sandbar-plugin-1\nname {}\nguest {}\nmanifest {manifest}\n", self.name, self.guest)
    }

    /// The SHA-256 of the message: one digest for the plugin as a whole.
    pub fn digest(&self) -> Digest {
        super::digest(self.message().as_bytes())
    }
}

impl Signatures {
    /// Adds one, in place of an earlier one by the same key.
    pub fn add(&mut self, signature: Signature) {
        self.0.retain(|earlier| earlier.key != signature.key);
        self.0.push(signature);
    }

    /// Adds those from another place, whosever they are.
    pub fn extend(&mut self, others: Signatures) {
        self.0.extend(others.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives those of the keys that signed a statement. One that did is enough: a plugin may have signatures by keys that
    /// nobody here knows, or that are no longer in use.
    ///
    /// # Errors
    /// None of them did, though there are signatures.
    pub fn verify(&self, statement: &Statement, keys: &[PublicKey]) -> Result<Vec<KeyId>, SignatureError> {
        let mut signers = Vec::new();
        let mut wrong = None;
        for signature in &self.0 {
            let mut known = keys.iter().filter(|key| key.id() == signature.key).peekable();
            if known.peek().is_none() {
                continue;
            }
            if known.any(|key| key.verifies(statement, &signature.bytes)) {
                signers.push(signature.key);
            } else {
                wrong.get_or_insert(signature.key);
            }
        }
        match wrong {
            _ if !signers.is_empty() || self.0.is_empty() => Ok(signers),
            Some(key) => Err(SignatureError::Wrong(key)),
            None => Err(SignatureError::Unknown(self.0.iter().map(|signature| signature.key).collect())),
        }
    }
}

impl FromStr for Signatures {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Signatures, SignatureError> {
        let mut signatures = Signatures::default();
        for (at, line) in text.lines().enumerate() {
            if at == SIGNATURES_MAX {
                return Err(SignatureError::Form(format!("there are more than {SIGNATURES_MAX}")));
            }
            let told = || {
                let found: String = line.chars().take(40).collect();
                format!(
                    "expected `{FORM} KEY SIGNATURE` with 16 and 128 hexadecimal digits, found `{}`",
                    found.escape_debug()
                )
            };
            let signature: Signature = line.parse().map_err(|()| SignatureError::Form(told()))?;
            if signatures.0.iter().any(|earlier| earlier.key == signature.key) {
                return Err(SignatureError::Form(format!("there are two by the key `{}`", signature.key)));
            }
            signatures.0.push(signature);
        }
        if signatures.is_empty() { Err(SignatureError::Form("there is none".into())) } else { Ok(signatures) }
    }
}

impl fmt::Display for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Signature {
    type Err = ();

    fn from_str(line: &str) -> Result<Signature, ()> {
        let (key, bytes) = line.strip_prefix(FORM).and_then(|rest| rest.strip_prefix(' ')?.split_once(' ')).ok_or(())?;
        Ok(Signature { key: key.parse().map_err(|_| ())?, bytes: from_hex(bytes).ok_or(())? })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM} {} {}", self.key, hex(&self.bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignatureError::Form(problem) => write!(f, "its signatures can't be read: {problem}"),
            SignatureError::Unknown(keys) => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                write!(f, "it is signed by {}, which is no key that is known here", keys.join(", "))
            }
            SignatureError::Wrong(key) => {
                write!(
                    f,
                    "its signature by `{key}` is wrong: the guest, the manifest or the name is another than was signed"
                )
            }
            SignatureError::NotLast => f.write_str("something comes after its signatures"),
            SignatureError::Repeated => f.write_str("it has more than one section of signatures"),
        }
    }
}

impl std::error::Error for SignatureError {}
