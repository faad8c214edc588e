//! Folders: making, removing and moving, and listing them.

use crate::{
    Case, cases,
    folder::{FOLLOW, Folder, NOFOLLOW, READ, WRITE, root},
    refused,
};
use wasip3::filesystem::types::{DescriptorType, OpenFlags};

pub(crate) const CASES: &[Case] = cases![
    make,
    remove,
    remove_with_a_slash,
    remove_what_is_no_folder,
    unlink,
    rename,
    rename_over_a_link,
    rename_folders,
    rename_between_folders,
    list,
    list_kinds,
    list_many,
    list_some,
    list_while_removing,
    list_a_file,
    nothing_leads_out,
    nothing_leads_out_of_a_folder_below,
    absolute_paths,
];

async fn make() {
    let root = root();
    for new in ["new", "slash/", "new/below"] {
        root.create_directory_at(new.into()).await.unwrap();
    }
    for there in ["new", "new/", "a.txt", "."] {
        refused(root.create_directory_at(there.into()).await, &["Exist"]);
    }
    for missing in ["", "missing/new"] {
        refused(root.create_directory_at(missing.into()).await, &["NoEntry"]);
    }
}

async fn remove() {
    let root = root();
    let below = root.below("folder").await;
    below.put("file", b"").await;
    refused(root.remove_directory_at("folder".into()).await, &["NotEmpty"]);
    below.unlink_file_at("file".into()).await.unwrap();
    root.remove_directory_at("folder".into()).await.unwrap();
    for missing in ["folder", "", "missing"] {
        refused(root.remove_directory_at(missing.into()).await, &["NoEntry"]);
    }
    refused(root.remove_directory_at(".".into()).await, &["Invalid", "Access", "Busy"]);
}

async fn remove_with_a_slash() {
    let root = root();
    for path in ["folder/", "folder////////"] {
        root.create_directory_at("folder/////".into()).await.unwrap();
        root.remove_directory_at(path.into()).await.unwrap();
        assert!(!root.exists("folder").await);
    }
}

async fn remove_what_is_no_folder() {
    let root = root();
    for (target, link) in [(".", "dot"), ("missing", "dangling"), ("..", "parent")] {
        root.symlink_at(target.into(), link.into()).await.unwrap();
    }
    for path in ["a.txt", "a.txt/", "dot", "dangling", "parent"] {
        refused(root.remove_directory_at(path.into()).await, &["NotDirectory"]);
    }
}

async fn unlink() {
    let root = root();
    root.below("folder").await;
    for folder in ["folder", "folder/", "."] {
        refused(root.unlink_file_at(folder.into()).await, &["IsDirectory", "NotPermitted", "Access"]);
    }
    for missing in ["missing", ""] {
        refused(root.unlink_file_at(missing.into()).await, &["NoEntry"]);
    }
    refused(root.unlink_file_at("a.txt/".into()).await, &["NotDirectory"]);
    root.unlink_file_at("a.txt".into()).await.unwrap();
}

async fn rename() {
    let root = root();
    for (from, to) in [("a.txt", "a.txt"), ("a.txt", "moved"), ("moved", "b.txt")] {
        root.rename(from, to).await.unwrap();
    }
    assert_eq!(root.contents("b.txt").await, b"test-a\n");
    for (from, to) in [("a.txt", "a.txt"), ("a.txt", "x"), ("moved", "b.txt"), ("", "x"), ("b.txt", "")] {
        refused(root.rename(from, to).await, &["NoEntry"]);
    }
    refused(root.rename(".", "x").await, &["Busy", "Invalid", "Access"]);
}

/// A file takes the place of the link, and leaves what it led to.
async fn rename_over_a_link() {
    let root = root();
    root.symlink_at("a.txt".into(), "link".into()).await.unwrap();
    root.rename("a.txt", "link").await.unwrap();
    assert!(!root.exists("a.txt").await);
    assert_eq!(root.contents("link").await, b"test-a\n");
}

async fn rename_folders() {
    let root = root();
    root.below("folder").await.put("file", b"").await;
    root.below("empty").await;
    root.below("full").await.put("file", b"").await;
    refused(root.rename("folder", "full").await, &["NotEmpty", "Exist"]);
    refused(root.rename("folder", "a.txt").await, &["NotDirectory"]);
    refused(root.rename("a.txt", "folder").await, &["IsDirectory"]);
    refused(root.rename("folder", "folder/below").await, &["Invalid"]);
    root.rename("folder", "empty").await.unwrap();
    root.rename("empty/", "moved/").await.unwrap();
    assert!(root.exists("moved/file").await);
}

async fn rename_between_folders() {
    let root = root();
    let below = root.below("folder").await;
    root.rename_at("a.txt".into(), &below, "inner".into()).await.unwrap();
    refused(root.rename_at("a.txt".into(), &below, "inner".into()).await, &["NoEntry"]);
    below.rename_at("inner".into(), &root, "back".into()).await.unwrap();
    refused(below.rename_at("inner".into(), &root, "back".into()).await, &["NoEntry"]);
    assert_eq!(root.contents("back").await, b"test-a\n");
}

/// Neither the folder itself nor the one above is among what is in it.
async fn list() {
    let root = root();
    assert_eq!(root.names().await, ["a.txt", "b.txt"]);
    assert_eq!(root.below("folder").await.names().await, [""; 0]);
    assert_eq!(root.names().await, ["a.txt", "b.txt", "folder"]);
}

async fn list_kinds() {
    let root = root();
    root.below("folder").await;
    root.symlink_at("..".into(), "parent".into()).await.unwrap();
    let (entries, ended) = root.read_directory();
    let mut entries = entries.collect().await;
    ended.await.unwrap();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let [a, b, folder, parent] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!([&a.name, &b.name, &folder.name, &parent.name], ["a.txt", "b.txt", "folder", "parent"]);
    assert!(matches!((&a.type_, &b.type_), (DescriptorType::RegularFile, DescriptorType::RegularFile)));
    assert!(matches!((&folder.type_, &parent.type_), (DescriptorType::Directory, DescriptorType::SymbolicLink)));
}

async fn list_many() {
    let below = root().below("folder").await;
    for at in 0..1000 {
        below.put(&format!("{at}"), b"").await;
    }
    let mut names = below.names().await;
    names.dedup();
    assert_eq!(names.len(), 1000);
}

/// Who has heard enough hears no error for what was left.
async fn list_some() {
    let root = root();
    let (mut entries, ended) = root.read_directory();
    let (_, first) = entries.read(Vec::with_capacity(1)).await;
    assert_eq!(first.len(), 1);
    drop(entries);
    ended.await.unwrap();
}

async fn list_while_removing() {
    let root = root();
    let below = root.below("folder").await;
    for at in 0..200 {
        below.put(&format!("{at}"), b"").await;
    }
    let (mut entries, ended) = below.read_directory();
    while let Some(entry) = entries.next().await {
        below.unlink_file_at(entry.name).await.unwrap();
    }
    ended.await.unwrap();
    root.remove_directory_at("folder".into()).await.unwrap();
}

async fn list_a_file() {
    let file = root().read_only("a.txt").await;
    let (entries, ended) = file.read_directory();
    assert!(entries.collect().await.is_empty());
    refused(ended.await, &["NotDirectory", "BadDescriptor"]);
}

async fn nothing_leads_out() {
    let root = root();
    root.symlink_at("..".into(), "parent".into()).await.unwrap();
    for path in ["..", "../x", "./..", "parent/x", "parent/../x", "../../../etc/passwd"] {
        nothing_is_done(&root, &root, path).await;
    }
    refused(root.open_at(FOLLOW, "parent".into(), OpenFlags::empty(), READ).await, &["NotPermitted"]);
    refused(root.stat_at(FOLLOW, "parent".into()).await, &["NotPermitted"]);
}

async fn nothing_leads_out_of_a_folder_below() {
    let root = root();
    let below = root.below("folder").await;
    for path in ["..", "../a.txt", "../folder", "../new"] {
        nothing_is_done(&root, &below, path).await;
    }
}

async fn absolute_paths() {
    let root = root();
    for path in ["/", "/a.txt", "/etc/passwd", "/missing"] {
        nothing_is_done(&root, &root, path).await;
    }
    refused(root.symlink_at("/etc/passwd".into(), "link".into()).await, &["NotPermitted"]);
}

/// Every call with a path that leads out is refused, and does nothing.
async fn nothing_is_done(root: &Folder, folder: &Folder, path: &str) {
    const OUT: &[&str] = &["NotPermitted"];
    refused(folder.open(path, OpenFlags::empty(), READ).await, OUT);
    refused(folder.open(path, OpenFlags::CREATE, WRITE).await, OUT);
    refused(folder.stat_at(NOFOLLOW, path.into()).await, OUT);
    refused(folder.metadata_hash_at(NOFOLLOW, path.into()).await, OUT);
    refused(folder.create_directory_at(path.into()).await, OUT);
    refused(folder.remove_directory_at(path.into()).await, OUT);
    refused(folder.unlink_file_at(path.into()).await, &["NotPermitted", "IsDirectory"]);
    refused(folder.rename_at(path.into(), root, "new".into()).await, OUT);
    refused(root.rename_at("a.txt".into(), folder, path.into()).await, OUT);
    refused(folder.link_at(NOFOLLOW, path.into(), root, "new".into()).await, OUT);
    refused(root.link_at(NOFOLLOW, "a.txt".into(), folder, path.into()).await, OUT);
    refused(folder.symlink_at("a.txt".into(), path.into()).await, OUT);
    refused(folder.readlink_at(path.into()).await, OUT);
    assert!(root.exists("a.txt").await && !root.exists("new").await);
}
