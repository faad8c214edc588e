//! Room in a volume, taken before something is written and given back where it was not.

use rustix::io::Errno;
use sandbar_grants::{QuotaExceeded, Volume};
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};
use tokio::task::spawn_blocking;

/// Where in a file a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// At this byte.
    Offset(u64),
    /// At its end.
    End,
}

/// By how many bytes a file of `size` grows when `length` bytes are written.
pub(crate) fn growth(size: u64, at: At, length: u64) -> u64 {
    match at {
        _ if length == 0 => 0,
        At::Offset(offset) => offset.saturating_add(length).saturating_sub(size),
        At::End => length,
    }
}

/// Room that was taken. Dropped, it is given back; what was written keeps it.
#[must_use]
pub(crate) struct Room {
    volume: Option<Arc<Volume>>,
    bytes: u64,
}

impl Room {
    /// Takes room; as much as is asked for where there is no volume.
    ///
    /// # Errors
    /// There is not enough.
    pub(crate) async fn take(volume: Option<Arc<Volume>>, bytes: u64) -> Result<Room, QuotaExceeded> {
        let fits = |volume: &Arc<Volume>| volume.used_bytes().saturating_add(bytes) <= volume.quota_bytes();
        match &volume {
            // A volume that seems full is measured before it refuses, which blocks.
            Some(full) if !fits(full) => {
                let quota_bytes = full.quota_bytes();
                let measured = spawn_blocking(move || Room::take_blocking(volume, bytes)).await;
                measured.unwrap_or(Err(QuotaExceeded { quota_bytes }))
            }
            Some(_) | None => Room::take_blocking(volume, bytes),
        }
    }

    /// As [`Room::take`], on a thread that may block.
    fn take_blocking(volume: Option<Arc<Volume>>, bytes: u64) -> Result<Room, QuotaExceeded> {
        if let Some(volume) = volume.as_ref().filter(|_| bytes > 0) {
            volume.charge(bytes)?;
        }
        Ok(Room { volume, bytes })
    }

    /// Keeps all of it.
    pub(crate) fn keep_all(mut self) {
        self.bytes = 0;
    }

    /// Keeps what was used.
    pub(crate) fn keep(mut self, used: u64) {
        self.bytes = self.bytes.saturating_sub(used);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(volume) = self.volume.as_ref().filter(|_| self.bytes > 0) {
            volume.release(self.bytes);
        }
    }
}

/// Writes once, within the volume. Blocks.
pub(crate) fn write_some(file: &File, at: At, bytes: &[u8], volume: Option<&Arc<Volume>>) -> io::Result<usize> {
    let Some(volume) = volume else { return write_at(file, at, bytes) };
    let size = file.metadata()?.len();
    let room = Room::take_blocking(Some(volume.clone()), growth(size, at, bytes.len() as u64))
        .map_err(|QuotaExceeded { .. }| io::Error::from(Errno::DQUOT))?;
    let count = write_at(file, at, bytes)?;
    room.keep(growth(size, at, count as u64));
    Ok(count)
}

/// Writes all, within the volume. Blocks.
pub(crate) fn write_all(file: &File, mut at: At, mut bytes: &[u8], volume: Option<&Arc<Volume>>) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = write_some(file, at, bytes, volume)?;
        bytes = bytes.get(count..).filter(|_| count > 0).ok_or(io::ErrorKind::WriteZero)?;
        if let At::Offset(offset) = &mut at {
            *offset = offset.saturating_add(count as u64);
        }
    }
    Ok(())
}

/// Whether an error says that a quota is used up.
pub(crate) fn is_quota(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::DQUOT.raw_os_error())
}

fn write_at(file: &File, at: At, bytes: &[u8]) -> io::Result<usize> {
    match at {
        At::Offset(offset) => file.write_at(bytes, offset),
        At::End => append(file, bytes),
    }
}

/// Appends as one step, so that sandboxes that log into one file don't overwrite each other.
#[cfg(target_os = "linux")]
fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, pwritev2};
    Ok(pwritev2(file, &[io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)?)
}

/// Appends in two steps: this system has no call for one.
#[cfg(not(target_os = "linux"))]
fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(bytes, file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_grows_by_what_lies_past_its_end() {
        for (size, at, length, expected) in [
            (10, At::Offset(0), 10, 0),
            (10, At::Offset(5), 10, 5),
            (10, At::Offset(20), 5, 15),
            (10, At::Offset(20), 0, 0),
            (0, At::Offset(u64::MAX), 2, u64::MAX),
            (10, At::End, 7, 7),
        ] {
            assert_eq!(growth(size, at, length), expected, "{size} {at:?} {length}");
        }
    }

    #[tokio::test]
    async fn room_that_is_not_used_is_given_back() {
        let folder = std::env::temp_dir().join(format!("sandbar-room-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let volume = Arc::new(Volume::open(&folder, 1000).unwrap());
        let take = |bytes| Room::take(Some(volume.clone()), bytes);
        drop(take(600).await.unwrap());
        assert_eq!(volume.used_bytes(), 0);
        take(600).await.unwrap().keep(100);
        assert_eq!(volume.used_bytes(), 100);
        assert!(take(901).await.is_err());
        take(900).await.unwrap().keep_all();
        assert_eq!(volume.used_bytes(), 1000);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_write_over_the_quota_writes_nothing() {
        let folder = std::env::temp_dir().join(format!("sandbar-write-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let volume = Arc::new(Volume::open(&folder, 1000).unwrap());
        let path = folder.join("file");
        let file = File::create(&path).unwrap();
        write_all(&file, At::Offset(0), &[1; 600], Some(&volume)).unwrap();
        assert!(is_quota(&write_all(&file, At::End, &[2; 600], Some(&volume)).unwrap_err()));
        write_all(&file, At::Offset(100), &[3; 500], Some(&volume)).unwrap();
        write_all(&file, At::End, &[4; 400], Some(&volume)).unwrap();
        assert_eq!((std::fs::metadata(path).unwrap().len(), volume.used_bytes()), (1000, 1000));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
