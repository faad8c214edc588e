use super::*;
use http_body_util::BodyExt as _;
use std::fs;

/// A folder for one test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sandbar-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("served/sub")).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Asks for a path under `/s` and gives status, body and location.
fn get(files: &Files, path: &str) -> (u16, Vec<u8>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (head, ()) = http::Request::get(path).body(()).unwrap().into_parts();
        let Some(answer) = files.answer(&head, 2).await else { return (404, Vec::new(), String::new()) };
        let location = answer.headers().get(header::LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec(), location)
    })
}

#[test]
fn only_what_lies_in_the_folder_is_served() {
    let folder = Folder::new("escape");
    let served = folder.0.join("served");
    fs::write(folder.0.join("secret"), "secret").unwrap();
    fs::write(served.join("a.txt"), "a").unwrap();
    fs::write(served.join("sub/index.html"), "index").unwrap();
    fs::write(served.join(".env"), "hidden").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret", served.join("out")).unwrap();
        symlink(folder.0.join("secret"), served.join("absolute")).unwrap();
        symlink("a.txt", served.join("inside")).unwrap();
        symlink("nowhere", served.join("dangling")).unwrap();
        symlink("..", served.join("up")).unwrap();
        assert_eq!(get(&Files::open(&served).unwrap(), "/s/inside"), (200, b"a".to_vec(), String::new()));
    }
    let files = Files::open(&served).unwrap();
    assert_eq!(get(&files, "/s/a.txt"), (200, b"a".to_vec(), String::new()));
    assert_eq!(get(&files, "/s/%61.txt"), (200, b"a".to_vec(), String::new()));
    assert_eq!(get(&files, "/s/sub/"), (200, b"index".to_vec(), String::new()));
    assert_eq!(get(&files, "/s/sub?q"), (308, Vec::new(), "/s/sub/?q".into()));
    assert_eq!(get(&files, "/s"), (308, Vec::new(), "/s/".into()));
    for path in [
        "/s/",
        "/s/none",
        "/s/.env",
        "/s/%2eenv",
        "/s/out",
        "/s/absolute",
        "/s/dangling",
        "/s/up/secret",
        "/s/../secret",
        "/s/%2e%2e/secret",
        "/s/sub%2findex.html",
        "/s/..%2fsecret",
        "/s/sub//index.html",
        "/s/a.txt/",
        "/s/a%00.txt",
        "/s/%ff",
    ] {
        assert_eq!(get(&files, path).0, 404, "{path}");
    }
}

#[test]
fn a_large_file_comes_whole_in_chunks() {
    let folder = Folder::new("large");
    let bytes: Vec<u8> = (0..300_000u32).map(|at| at as u8).collect();
    fs::write(folder.0.join("served/large.bin"), &bytes).unwrap();
    let files = Files::open(&folder.0.join("served")).unwrap();
    assert_eq!(get(&files, "/s/large.bin").1, bytes);
}
