//! Puts a container's file tree together and makes it the root.

use super::tree::{Bind, Node, Origin, Tree, What};
use super::{Error, Mount, Root, inside, system};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const NONE: Option<&str> = None;
/// What a program may expect below /dev.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes the tree and moves into it; the answer are the mounts that are missing but not essential.
pub(super) fn build(root: &Root) -> Result<Vec<String>, Error> {
    let tree = plan(root).map_err(system("plan the file tree"))?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(system("keep mounts to itself"))?;
    let staging = &root.staging;
    mount(Some("tmpfs"), staging, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755"))
        .map_err(system(format!("mount a tmpfs at {}", staging.display())))?;
    let mut warnings = Vec::new();
    for (name, child) in &tree.root.children {
        apply(child, &staging.join(name), &Path::new("/").join(name), true, &mut warnings)?;
    }
    for (path, text) in &root.scripts {
        let target = staging.join(path.strip_prefix("/").unwrap_or(path));
        fs::write(&target, text)
            .and_then(|()| fs::set_permissions(&target, Permissions::from_mode(0o755)))
            .map_err(system(format!("write {}", path.display())))?;
    }
    std::env::set_current_dir(staging).map_err(system("enter the file tree"))?;
    unistd::pivot_root(".", ".").map_err(system("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(system("leave the old root"))?;
    std::env::set_current_dir("/").map_err(system("enter the new root"))?;
    Ok(warnings)
}

fn plan(root: &Root) -> io::Result<Tree> {
    let mut tree = Tree::over(Path::new("/"))?;
    let dev = Path::new("/dev");
    tree.place(dev, What::Directory)?;
    for name in DEVICES {
        tree.place(&dev.join(name), What::Bind(Bind::host(dev.join(name))))?;
    }
    for name in ["pts", "mqueue"].map(|name| dev.join(name)).iter().filter(|path| path.is_dir()) {
        tree.place(name, What::Bind(Bind::host(name.clone())))?;
    }
    for (name, target) in DEVICE_LINKS {
        tree.place(&dev.join(name), What::Link(target.into()))?;
    }
    tree.place(&dev.join("shm"), What::Directory)?;
    for layer in &root.layers {
        tree.merge(Path::new("/"), layer)?;
    }
    for directory in &root.directories {
        tree.own(directory)?;
    }
    for (path, _) in &root.scripts {
        // The file is written once the directory is there.
        tree.own(path.parent().unwrap_or(Path::new("/")))?;
    }
    let mut mounts: Vec<&Mount> = root.mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.target.components().count());
    for mount in mounts {
        if !inside(&mount.target) {
            return Err(io::Error::other(format!("{} is not an absolute path", mount.target.display())));
        }
        let bind = Bind {
            read_only: mount.read_only,
            origin: Origin::Volume { essential: mount.essential },
            ..Bind::host(mount.source.clone())
        };
        tree.place(&mount.target, What::Bind(bind))?;
    }
    Ok(tree)
}

/// `at` is the path on the host, `path` the one that the container sees. `own` tells whether the directory above is the container's own.
fn apply(node: &Node, at: &Path, path: &Path, own: bool, warnings: &mut Vec<String>) -> Result<(), Error> {
    match &node.what {
        What::Directory => directory(at).map_err(system(format!("make the directory {}", path.display())))?,
        What::Link(target) => symlink(target, at).map_err(system(format!("make the link {}", path.display())))?,
        What::Bind(bind) if bind.mounted => {
            if let Err(error) = attach(bind, at, own) {
                let what = format!("mount {} at {}", bind.source.display(), path.display());
                match bind.origin {
                    Origin::Image | Origin::Volume { essential: true } => {
                        return Err(Error::System { what, source: error });
                    }
                    Origin::Volume { essential: false } => warnings.push(format!("{what}: {error}")),
                    // A user namespace hides some of the host.
                    Origin::Host => {}
                }
                return Ok(());
            }
        }
        What::Bind(_) => {}
    }
    let own = node.what == What::Directory;
    for (name, child) in &node.children {
        apply(child, &at.join(name), &path.join(name), own, warnings)?;
    }
    Ok(())
}

fn directory(at: &Path) -> io::Result<()> {
    if at.is_dir() {
        return Ok(());
    }
    let shared = at.ends_with("dev/shm") || at.ends_with("tmp");
    DirBuilder::new().mode(0o755).create(at)?;
    if shared { fs::set_permissions(at, Permissions::from_mode(0o1777)) } else { Ok(()) }
}

fn attach(bind: &Bind, at: &Path, own: bool) -> io::Result<()> {
    let source: &PathBuf = &bind.source;
    let is_directory = fs::metadata(source)?.is_dir();
    if own {
        if is_directory {
            directory(at)?;
        } else {
            File::create(at)?;
        }
    }
    mount(Some(source), at, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
    if bind.read_only {
        // A remount must repeat the flags that the mount has, some are locked in a user namespace.
        let kept = statvfs(at)?.flags();
        let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        for (has, keep) in [
            (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
            (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
            (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
            (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
            (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
            (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
        ] {
            flags.set(keep, kept.contains(has));
        }
        mount(NONE, at, NONE, flags, NONE)?;
    }
    Ok(())
}
