//! Files of a folder, answered without a guest (and so without a call and a receipt).
//!
//! Only `GET` and `HEAD`; a folder answers with its `index.html`, and one asked for without its slash is redirected to the
//! name with it, so that relative links work. There is an `ETag` of length and change time, `Last-Modified`, conditional
//! requests and single ranges (RFC 9110, sections 13 and 14; several ranges get the whole file).
//!
//! Nothing outside the folder is reachable: each name is opened strictly beneath the folder's own descriptor, where the
//! kernel (`openat2`, or a walk that does the same) refuses `..` and symlinks that lead out, also when someone changes them
//! meanwhile; symlinks that stay inside work. (Comparing canonical paths, the usual way, leaves a gap between look and use.)
//! Names that begin with a dot don't exist, whatever the folder holds. The folder is the one that was there at load: one
//! moved into its place is seen after a reload.

mod body;
mod conditions;

use crate::http::pattern::decode;
use body::FileBody;
use cap_std::{
    ambient_authority,
    fs::{Dir, File, Metadata, OpenOptions},
};
use conditions::{Asked, Version};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use sandbar_call::Body;
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A folder whose files a route serves.
#[derive(Clone, Debug)]
pub struct Files {
    folder: Arc<Dir>,
}

/// A folder that can't be served.
#[derive(Debug)]
pub struct FilesError {
    /// The folder.
    pub folder: PathBuf,
    /// Why not.
    pub error: io::Error,
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder `{}` can't be served: {}", self.folder.display(), self.error)
    }
}

impl std::error::Error for FilesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Files {
    /// Opens a folder.
    ///
    /// # Errors
    /// A folder that is not there or can't be opened.
    pub fn open(folder: &Path) -> Result<Files, FilesError> {
        let opened = Dir::open_ambient_dir(folder, ambient_authority());
        opened
            .map(|folder| Files { folder: Arc::new(folder) })
            .map_err(|error| FilesError { folder: folder.to_owned(), error })
    }

    /// Answers a `GET` or `HEAD` for what its path names after `prefix_len` bytes; `None` where there is no such file.
    pub(crate) async fn answer(&self, head: &Parts, prefix_len: usize) -> Option<Response<Body>> {
        let path = head.uri.path();
        let name = name_of(path.get(prefix_len..)?)?;
        let is_folder_path = path.ends_with('/');
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || find(&folder, &name, is_folder_path)).await.ok()?;
        match found.ok()? {
            Found::Folder => redirect(head),
            Found::File(file, name) => Some(write(head, *file, &name)),
        }
    }
}

/// The name of a file beneath the folder, empty for the folder itself. Each segment is decoded by itself, so that no escape
/// makes a separator.
fn name_of(path: &str) -> Option<PathBuf> {
    let mut name = PathBuf::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment.is_empty() && last {
            break;
        }
        let text = String::from_utf8(decode(segment)?.into_owned()).ok()?;
        let odd = text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', ':', '\0']);
        if odd {
            return None;
        }
        name.push(text);
    }
    Some(name)
}

enum Found {
    File(Box<(File, Metadata)>, PathBuf),
    /// A folder that was asked for without its slash.
    Folder,
}

/// Opens what a name means. Blocks.
fn find(folder: &Dir, name: &Path, is_folder_path: bool) -> io::Result<Found> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let index = if is_folder_path || name.as_os_str().is_empty() { Some(name.join("index.html")) } else { None };
    if name.as_os_str().is_empty() && !is_folder_path {
        return Ok(Found::Folder);
    }
    let wanted = index.as_deref().unwrap_or(name);
    let file = folder.open_with(wanted, &options())?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return if index.is_none() { Ok(Found::Folder) } else { Err(missing()) };
    }
    if !metadata.is_file() {
        return Err(missing());
    }
    Ok(Found::File(Box::new((file, metadata)), wanted.to_owned()))
}

/// Reads without waiting: opening a pipe that lies in the folder must not hold the thread.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        const O_NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0x4 };
        options.custom_flags(O_NONBLOCK);
    }
    options
}

fn redirect(head: &Parts) -> Option<Response<Body>> {
    let path = head.uri.path();
    let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // Two slashes at the start would name a host.
    let location = HeaderValue::try_from(format!("/{}/{query}", path.trim_start_matches('/'))).ok()?;
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    answer.headers_mut().insert(header::LOCATION, location);
    Some(answer)
}

fn write(head: &Parts, (file, metadata): (File, Metadata), name: &Path) -> Response<Body> {
    let version = Version::of(&metadata);
    let mut answer = Response::new(Body::Empty);
    let headers = answer.headers_mut();
    version.write(headers);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, range) = match version.asked(head) {
        Asked::Unchanged => (StatusCode::NOT_MODIFIED, None),
        Asked::Failed => (StatusCode::PRECONDITION_FAILED, None),
        Asked::OutOfRange => {
            if let Ok(range) = HeaderValue::try_from(format!("bytes */{}", version.len)) {
                headers.insert(header::CONTENT_RANGE, range);
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, None)
        }
        Asked::Whole => (StatusCode::OK, Some(0..version.len)),
        Asked::Range(range) => {
            let text = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), version.len);
            if let Ok(text) = HeaderValue::try_from(text) {
                headers.insert(header::CONTENT_RANGE, text);
            }
            (StatusCode::PARTIAL_CONTENT, Some(range))
        }
    };
    *answer.status_mut() = status;
    if let Some(range) = range {
        let length = range.end - range.start;
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        if head.method != http::Method::HEAD && length > 0 {
            *answer.body_mut() = Body::stream(FileBody::new(file.into_std(), range));
        }
    }
    answer
}

/// The content type that a name's ending stands for.
fn content_type(name: &Path) -> &'static str {
    let ending = name.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = CONTENT_TYPES.iter().find(|(known, _)| *known == ending);
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

/// What web pages are made of; other files are bytes.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("wasm", "application/wasm"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
];

#[cfg(test)]
mod tests;
