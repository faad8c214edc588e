//! `sandbar plugins`: looks at a folder of plugins, approves and signs them.

use crate::{
    console::{Console, clean, print},
    failure::{Failure, Kind},
};
use clap::{Args, Subcommand};
use sandbar_embed::{
    PluginFolder,
    folder::{
        FolderError, Keep, PluginEntry, PluginFolderBuilder, PluginState, Scope, SignError, Signed, Switch, VersionReq,
        sign, verify,
    },
    signing::{KeyError, PublicKey, SecretKey},
};
use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Looks at a folder of plugins, approves what they ask for, and signs them.
#[derive(Debug, Args)]
pub(crate) struct Plugins {
    #[command(subcommand)]
    command: PluginsCommand,
}

#[derive(Debug, Subcommand)]
enum PluginsCommand {
    List(List),
    Approve(Approve),
    /// Lets a plugin be loaded again.
    Enable(Named),
    /// Keeps a plugin from being loaded.
    Disable(Named),
    Sign(Sign),
    Verify(Verify),
    Keygen(Keygen),
}

/// Tells what lies in a folder and what would become of it, without running anything.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    folder: Folder,
    /// Takes a plugin only with a signature by one of the keys.
    #[arg(long, requires = "key")]
    signed: bool,
}

/// Approves all that a plugin asks for, as long as it stays as it is.
#[derive(Debug, Args)]
struct Approve {
    #[command(flatten)]
    folder: Folder,
    /// The plugin.
    name: String,
    /// Approves it for this and any later version that the key signed.
    #[arg(long, requires = "key")]
    later: bool,
}

#[derive(Debug, Args)]
struct Named {
    #[command(flatten)]
    folder: Folder,
    /// The plugin.
    name: String,
}

#[derive(Debug, Args)]
struct Folder {
    /// The folder of plugins.
    folder: PathBuf,
    /// The file of approvals, where it is not `plugins.approved.toml` in the folder.
    #[arg(long, value_name = "FILE")]
    approvals: Option<PathBuf>,
    /// The file of a public key that is known; may be given more than once.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
}

/// Signs a plugin: its name, its guest and its manifest.
#[derive(Debug, Args)]
struct Sign {
    /// The plugin: its guest, or its manifest.
    guest: PathBuf,
    /// The file of the secret key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Keeps the signature in the guest, and not in a file beside it.
    #[arg(long)]
    embed: bool,
}

/// Checks that one of the keys signed a plugin.
#[derive(Debug, Args)]
struct Verify {
    /// The plugin: its guest, or its manifest.
    guest: PathBuf,
    /// The file of a public key; may be given more than once.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
}

/// Makes a key: FILE is the secret one, and FILE.pub the public one.
#[derive(Debug, Args)]
struct Keygen {
    /// The file to write, which must not be there yet.
    file: PathBuf,
}

pub(crate) fn run(plugins: &Plugins, console: &Console) -> Result<ExitCode, Failure> {
    match &plugins.command {
        PluginsCommand::List(list) => self::list(list, console),
        PluginsCommand::Approve(approve) => self::approve(approve, console),
        PluginsCommand::Enable(named) => switch(named, Switch::On),
        PluginsCommand::Disable(named) => switch(named, Switch::Off),
        PluginsCommand::Sign(sign) => self::signed(sign, console),
        PluginsCommand::Verify(verify) => self::verified(verify, console),
        PluginsCommand::Keygen(keygen) => self::keygen(keygen, console),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list(list: &List, console: &Console) -> Result<(), Failure> {
    let builder = list.folder.builder()?;
    let builder = if list.signed { builder.require_signatures() } else { builder };
    let entries = builder.survey()?;
    if console.json {
        let entries: Vec<Value> = entries.iter().map(told).collect();
        return print(format_args!("{:#}\n", Value::from(entries)));
    }
    let width = |of: fn(&PluginEntry) -> usize| entries.iter().map(of).max().unwrap_or_default();
    let (names, versions) = (width(|entry| entry.name.chars().count()), width(|entry| entry.version.to_string().len()));
    for entry in &entries {
        let (name, version, key) = (clean(&entry.name), entry.version.to_string(), entry.state.key());
        let why = if entry.state.is_ready() { entry.description.clone() } else { entry.state.to_string() };
        let line = format!("{name:<names$}  {version:<versions$}  {key:<18}  {}", clean(&why));
        print(format_args!("{}\n", line.trim_end()))?;
    }
    Ok(())
}

/// An entry for programs.
fn told(entry: &PluginEntry) -> Value {
    let missing = match &entry.state {
        PluginState::NotApproved { missing, .. } => missing.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let requires = entry.requires.iter().map(|(name, versions)| (name.clone(), Value::from(versions.to_string())));
    json!({
        "name": entry.name,
        "path": entry.path,
        "version": entry.version.to_string(),
        "description": entry.description,
        "state": entry.state.key(),
        "message": entry.state.to_string(),
        "digest": entry.digest,
        "guest": entry.guest,
        "signers": entry.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "requires": Value::Object(requires.collect()),
        "asks": entry.asks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "missing": missing,
    })
}

fn approve(approve: &Approve, console: &Console) -> Result<(), Failure> {
    let builder = approve.folder.builder()?;
    let entry = found(&builder, &approve.name)?;
    if let PluginState::Broken(error) = &entry.state
        && entry.digest.is_none()
    {
        return Err(Failure::new(Kind::Input, error));
    }
    let scope = match (entry.signers.first(), entry.digest) {
        (Some(&key), _) if approve.later => Scope::Key { key, versions: later(&entry)? },
        (_, Some(digest)) if !approve.later => Scope::Digest(digest),
        _ => {
            let message = format!("`{}` is not signed by a key that was given", entry.name);
            return Err(Failure::new(Kind::Input, message).hint("leave `--later` out, or give the key that signed it"));
        }
    };
    builder.approve(&entry, scope)?;
    if console.json {
        return print(format_args!("{}\n", told(&found(&builder, &approve.name)?)));
    }
    for ask in &entry.asks {
        print(format_args!("{}\n  {}\n", clean(&ask.to_string()), ask.help()))?;
    }
    let asks = entry.asks.len();
    let what = if asks == 0 { "which asks for nothing".to_owned() } else { format!("all of the above: {asks}") };
    print(format_args!("approved for `{}` {}, {what}\n", entry.name, entry.version))
}

/// This and any later version.
fn later(entry: &PluginEntry) -> Result<VersionReq, Failure> {
    VersionReq::parse(&format!(">={}", entry.version)).map_err(|error| Failure::new(Kind::Input, error))
}

fn switch(named: &Named, switch: Switch) -> Result<(), Failure> {
    let builder = named.folder.builder()?;
    let entry = found(&builder, &named.name)?;
    Ok(builder.switch(&entry.name, switch)?)
}

fn signed(command: &Sign, console: &Console) -> Result<(), Failure> {
    let key = SecretKey::read(&command.key).map_err(|error| key_failure(&command.key, &error))?;
    let keep = if command.embed { Keep::Inside } else { Keep::Beside };
    let signed = sign(&command.guest, &key, keep)?;
    say(&signed, console)
}

fn verified(command: &Verify, console: &Console) -> Result<(), Failure> {
    let signed = verify(&command.guest, &keys(&command.key)?)?;
    say(&signed, console)
}

/// Shows what was signed.
fn say(signed: &Signed, console: &Console) -> Result<(), Failure> {
    let statement = &signed.statement;
    let signers: Vec<String> = signed.signers.iter().map(ToString::to_string).collect();
    if console.json {
        let (name, guest, manifest) = (&statement.name, statement.guest, statement.manifest);
        return print(format_args!(
            "{}\n",
            json!({ "name": name, "guest": guest, "manifest": manifest, "digest": statement.digest(), "signers": signers, "path": signed.path })
        ));
    }
    let manifest = statement.manifest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
    let written = signed.path.as_ref().map(|path| format!("written   {}\n", clean(&path.display().to_string())));
    print(format_args!(
        "name      {}\nguest     {}\nmanifest  {manifest}\nsigned    by {}\n{}",
        clean(&statement.name),
        statement.guest,
        signers.join(", "),
        written.unwrap_or_default()
    ))
}

fn keygen(keygen: &Keygen, console: &Console) -> Result<(), Failure> {
    let mut public = keygen.file.as_os_str().to_owned();
    public.push(".pub");
    let key = SecretKey::generate().map_err(|error| key_failure(&keygen.file, &error))?;
    let written = OpenOptions::new().write(true).create_new(true).open(&public);
    let mut file = written.map_err(|error| cannot_write(Path::new(&public), &error))?;
    if let Err(error) = key.write(&keygen.file) {
        let _ = std::fs::remove_file(&public);
        return Err(key_failure(&keygen.file, &error));
    }
    file.write_all(key.public().to_string().as_bytes()).map_err(|error| cannot_write(Path::new(&public), &error))?;
    let id = key.public().id();
    if console.json {
        let made = json!({ "id": id.to_string(), "secret": keygen.file, "public": Path::new(&public) });
        return print(format_args!("{made}\n"));
    }
    print(format_args!("key {id}: keep `{}` to yourself\n", keygen.file.display()))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Unavailable, format!("can't write `{}`: {error}", path.display()))
}

impl Folder {
    fn builder(&self) -> Result<PluginFolderBuilder, Failure> {
        let builder = PluginFolder::builder(&self.folder).keys(keys(&self.key)?);
        Ok(match &self.approvals {
            Some(file) => builder.approvals(file),
            None => builder,
        })
    }
}

fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    paths.iter().map(|path| PublicKey::read(path).map_err(|error| key_failure(path, &error))).collect()
}

fn found(builder: &PluginFolderBuilder, name: &str) -> Result<PluginEntry, Failure> {
    let entries = builder.survey()?;
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    entries.into_iter().find(|entry| entry.name == name).ok_or_else(|| {
        let near = sandbar_grants::nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        FolderError::Unknown { name: name.to_owned(), near }.into()
    })
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Failure {
        let kind = if matches!(error, FolderError::File { .. }) { Kind::NoInput } else { Kind::Input };
        Failure::new(kind, error)
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Failure {
        match error {
            SignError::Folder(error) => error.into(),
            SignError::Unsigned => Failure::new(Kind::Input, &error).hint("sign it with `sandbar plugins sign`"),
            SignError::Signature(_) | SignError::NotBinary => Failure::new(Kind::Input, error),
        }
    }
}

fn key_failure(path: &Path, error: &KeyError) -> Failure {
    match error {
        KeyError::Form { .. } => Failure::new(Kind::Input, format!("`{}`: {error}", path.display())),
        KeyError::Read(_) => Failure::new(Kind::NoInput, error),
        KeyError::Write { .. } | KeyError::Random => Failure::new(Kind::Unavailable, error),
        KeyError::Open { .. } => Failure::new(Kind::Input, error),
    }
}
