//! The file of receipts: JSON lines, appended; rotated to `PATH.1`, `PATH.2` … by size; repaired after a crash.

use super::LedgerError;
use sandbar_call::Receipt;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// How often the file is looked for under its path.
const LOOK: Duration = Duration::from_secs(1);

/// An open file of receipts.
pub(super) struct ReceiptFile {
    path: PathBuf,
    file: File,
    /// Bytes in the file that end with a whole line.
    bytes: u64,
    buffer: Vec<u8>,
    buffered: usize,
    looked_at: Instant,
    /// Receipts written since this was last taken.
    pub(super) written: usize,
    /// Rotations since this was last taken.
    pub(super) rotations: u64,
}

impl ReceiptFile {
    /// Opens or creates the file, and repairs its last line. `report` is told of a cut.
    pub(super) fn open(path: &Path, report: &mut dyn FnMut(LedgerError)) -> Result<ReceiptFile, LedgerError> {
        let failed = |doing| move |error| LedgerError::File { doing, path: path.to_path_buf(), error };
        let mut file = create(path).map_err(failed("open"))?;
        let bytes = match repair(&mut file).map_err(failed("repair"))? {
            Repaired { bytes, cut_bytes: 0 } => bytes,
            Repaired { bytes, cut_bytes } => {
                report(LedgerError::Torn { path: path.to_path_buf(), cut_bytes });
                bytes
            }
        };
        Ok(ReceiptFile {
            path: path.to_path_buf(),
            file,
            bytes,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            buffered: 0,
            looked_at: Instant::now(),
            written: 0,
            rotations: 0,
        })
    }

    /// Appends one line, into a new file where this one would grow over `rotate_bytes`.
    pub(super) fn append(&mut self, line: &[u8], rotate_bytes: u64, keep: u64) -> Result<(), LedgerError> {
        let bytes = self.bytes + self.buffer.len() as u64;
        if bytes > 0 && bytes + line.len() as u64 > rotate_bytes {
            self.flush()?;
            self.rotate(keep)?;
        }
        if self.buffer.len() + line.len() > BUFFER_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(line);
        self.buffered += 1;
        Ok(())
    }

    /// Writes what is gathered. After an error the file is cut back to whole lines, and should be opened anew.
    pub(super) fn flush(&mut self) -> Result<(), LedgerError> {
        if let Err(error) = self.file.write_all(&self.buffer) {
            let _ = self.file.set_len(self.bytes);
            return Err(self.failed("write", error));
        }
        self.bytes += self.buffer.len() as u64;
        self.written += self.buffered;
        self.buffer.clear();
        self.buffered = 0;
        Ok(())
    }

    /// Whether the path leads to another file by now, or to none. Looks at most once a second.
    pub(super) fn moved_away(&mut self) -> bool {
        if self.looked_at.elapsed() < LOOK {
            return false;
        }
        self.looked_at = Instant::now();
        let ours = self.file.metadata().ok().map(|metadata| identity(&metadata));
        let theirs = fs::metadata(&self.path).ok().map(|metadata| identity(&metadata));
        ours != theirs
    }

    fn rotate(&mut self, keep: u64) -> Result<(), LedgerError> {
        shift(&self.path, keep).map_err(|error| self.failed("rotate", error))?;
        self.file = create(&self.path).map_err(|error| self.failed("open", error))?;
        self.bytes = 0;
        self.rotations += 1;
        Ok(())
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> LedgerError {
        LedgerError::File { doing, path: self.path.clone(), error }
    }
}

/// The path of the `n`-th rotated file.
pub(super) fn rotated(path: &Path, n: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// What makes a file the same after it was renamed.
#[cfg(unix)]
pub(super) fn identity(metadata: &fs::Metadata) -> impl Eq + Copy + use<> {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// What makes a file the same after it was renamed: without inodes, the time of its creation.
#[cfg(not(unix))]
pub(super) fn identity(metadata: &fs::Metadata) -> impl Eq + Copy + use<> {
    metadata.created().ok()
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// Makes room for a new file: `PATH` becomes `PATH.1`, and so on up to `keep`; the last one is removed.
fn shift(path: &Path, keep: u64) -> io::Result<()> {
    if keep == 0 {
        return fs::remove_file(path);
    }
    for n in (1..keep).rev() {
        match fs::rename(rotated(path, n), rotated(path, n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, rotated(path, 1))
}

struct Repaired {
    bytes: u64,
    cut_bytes: u64,
}

/// Ends the file with a whole line: a last line that is a receipt without its line break gets one, any other is cut off.
fn repair(file: &mut File) -> io::Result<Repaired> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(Repaired { bytes: 0, cut_bytes: 0 });
    }
    let bytes = metadata.len();
    let start = last_line(file, bytes)?;
    if start == bytes {
        return Ok(Repaired { bytes, cut_bytes: 0 });
    }
    file.seek(SeekFrom::Start(start))?;
    if serde_json::from_reader::<_, Receipt>(io::BufReader::new(&mut *file)).is_ok() {
        file.write_all(b"\n")?;
        return Ok(Repaired { bytes: bytes + 1, cut_bytes: 0 });
    }
    file.set_len(start)?;
    Ok(Repaired { bytes: start, cut_bytes: bytes - start })
}

/// Where the last line starts: after the last line break.
fn last_line(file: &mut File, bytes: u64) -> io::Result<u64> {
    const CHUNK: u64 = 64 << 10;
    let (mut end, mut chunk) = (bytes, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
