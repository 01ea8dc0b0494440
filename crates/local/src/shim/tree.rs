//! The plan of a container's file tree: which directory is the container's own, and what is bound where.
//!
//! A tree starts as a view of the host. A path that does not exist on the host gets room without touching the host: the directory that lacks
//! it becomes the container's own ("opened") and shows its former entries one by one. Planning reads the file system, it never mounts.
//!
//! Invariant: applying the tree changes nothing on the host, except directories that a volume itself grows for a mount inside it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What lies at one path of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A directory of the container's own.
    Directory,
    /// A symbolic link of the container's own.
    Link(PathBuf),
    /// A file or directory from elsewhere.
    Bind(Bind),
}

/// A file or directory that is shown in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub source: PathBuf,
    pub read_only: bool,
    pub origin: Origin,
    /// False where the entry is visible already, through the bind of a directory above.
    pub mounted: bool,
}

/// Whose an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The host shows much that nobody needs.
    Host,
    Image,
    /// A mount below that finds no directory may create it in a volume.
    Volume {
        essential: bool,
    },
}

impl Bind {
    pub fn host(source: PathBuf) -> Self {
        Bind { source, read_only: false, origin: Origin::Host, mounted: true }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub what: What,
    pub children: BTreeMap<OsString, Node>,
}

impl Node {
    fn new(what: What) -> Self {
        Node { what, children: BTreeMap::new() }
    }

    fn is_directory(&self) -> bool {
        match &self.what {
            What::Directory => true,
            What::Link(_) => false,
            What::Bind(bind) => bind.source.is_dir(),
        }
    }

    /// The entry of that name, if there is one.
    fn child(&mut self, name: &OsStr) -> io::Result<Option<&mut Node>> {
        if !self.children.contains_key(name)
            && let What::Bind(bind) = &self.what
        {
            let source = bind.source.join(name);
            match fs::symlink_metadata(&source) {
                Ok(_) => {
                    let bind = Bind { source, mounted: false, ..bind.clone() };
                    self.children.insert(name.into(), Node::new(What::Bind(bind)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(self.children.get_mut(name))
    }

    /// Where the entry leads if it is a symbolic link.
    fn link(&self) -> Option<PathBuf> {
        match &self.what {
            What::Link(target) => Some(target.clone()),
            What::Bind(bind) if !bind.mounted => fs::read_link(&bind.source).ok(),
            _ => None,
        }
    }

    /// Turns a bound directory into a directory of the container's own that shows the same entries.
    fn open(&mut self) -> io::Result<()> {
        let What::Bind(bind) = &self.what else { return Ok(()) };
        let mut children = BTreeMap::new();
        for entry in fs::read_dir(&bind.source)? {
            let entry = entry?;
            let name = entry.file_name();
            let child = match self.children.remove(&name) {
                Some(mut child) => {
                    match (child.link(), &mut child.what) {
                        (Some(target), _) => child.what = What::Link(target),
                        (None, What::Bind(child)) => child.mounted = true,
                        (None, _) => {}
                    }
                    child
                }
                None if entry.file_type()?.is_symlink() => Node::new(What::Link(fs::read_link(entry.path())?)),
                None => Node::new(What::Bind(Bind { source: entry.path(), mounted: true, ..bind.clone() })),
            };
            children.insert(name, child);
        }
        children.append(&mut self.children);
        self.children = children;
        self.what = What::Directory;
        Ok(())
    }
}

/// What a path leads to, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Directory,
    File,
}

/// The whole tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub root: Node,
}

const LINKS: usize = 40;

impl Tree {
    /// The tree of a host whose root directory is `host`.
    pub fn over(host: &Path) -> io::Result<Self> {
        let mut root = Node::new(What::Bind(Bind::host(host.to_owned())));
        root.open()?;
        Ok(Tree { root })
    }

    /// Shows `what` at `path`; missing directories on the way become the container's own.
    pub fn place(&mut self, path: &Path, what: What) -> io::Result<()> {
        let node = self.walk(path, LINKS, &what)?;
        node.what = what;
        node.children.clear();
        Ok(())
    }

    /// Makes `path` a directory of the container's own, with the entries it has.
    pub fn own(&mut self, path: &Path) -> io::Result<()> {
        let node = self.walk(path, LINKS, &What::Directory)?;
        if !node.is_directory() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "not a directory"));
        }
        node.open()
    }

    /// Lays the contents of the directory `source` over what is at `path`: directories that both have are merged, files of `source` win.
    pub fn merge(&mut self, path: &Path, source: &Path) -> io::Result<()> {
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            let (target, kind) = (path.join(entry.file_name()), entry.file_type()?);
            let here = self.kind(&target, LINKS)?;
            if kind.is_symlink() {
                if here != Kind::Directory {
                    self.place(&target, What::Link(fs::read_link(entry.path())?))?;
                }
            } else if kind.is_dir() && here == Kind::Directory {
                self.merge(&target, &entry.path())?;
            } else if kind.is_dir() || here != Kind::Directory {
                let bind = Bind { origin: Origin::Image, ..Bind::host(entry.path()) };
                self.place(&target, What::Bind(bind))?;
            }
        }
        Ok(())
    }

    fn kind(&mut self, path: &Path, links: usize) -> io::Result<Kind> {
        let mut node = &mut self.root;
        let mut seen = PathBuf::from("/");
        let names = names(path);
        for (index, name) in names.iter().enumerate() {
            let Some(child) = node.child(name)? else { return Ok(Kind::Missing) };
            if let Some(target) = child.link() {
                let Some(links) = links.checked_sub(1) else { return Ok(Kind::Missing) };
                return self.kind(&follow(&seen, &target, &names[index + 1..]), links);
            }
            node = child;
            seen.push(name);
        }
        Ok(if node.is_directory() { Kind::Directory } else { Kind::File })
    }

    /// The node at `path`, made where it is missing.
    fn walk(&mut self, path: &Path, links: usize, what: &What) -> io::Result<&mut Node> {
        let mut seen = PathBuf::from("/");
        let names = names(path);
        let mut detour = None;
        {
            let mut node = &mut self.root;
            for (index, name) in names.iter().enumerate() {
                let last = index + 1 == names.len();
                if node.child(name)?.is_none() {
                    node.admit(name, last && is_file(what))?;
                }
                let child =
                    node.child(name)?.ok_or_else(|| io::Error::other("the directory changed while it was read"))?;
                if let Some(target) = child.link()
                    && !(last && matches!(what, What::Link(_)))
                {
                    detour = Some(follow(&seen, &target, &names[index + 1..]));
                    break;
                }
                if !last && !child.is_directory() {
                    let place = seen.join(name);
                    return Err(io::Error::new(
                        io::ErrorKind::NotADirectory,
                        format!("{} is not a directory", place.display()),
                    ));
                }
                node = child;
                seen.push(name);
            }
        }
        if let Some(path) = detour {
            let links = links.checked_sub(1).ok_or_else(|| io::Error::other("too many symbolic links"))?;
            return self.walk(&path, links, what);
        }
        let mut node = &mut self.root;
        for name in &names {
            node = node.child(name)?.ok_or_else(|| io::Error::other("the directory changed while it was read"))?;
        }
        Ok(node)
    }
}

impl Node {
    /// Makes room for a new entry.
    fn admit(&mut self, name: &OsStr, file: bool) -> io::Result<()> {
        if let What::Bind(bind) = &self.what {
            if matches!(bind.origin, Origin::Volume { .. }) && !bind.read_only {
                let path = bind.source.join(name);
                return if file { fs::File::create(path).map(drop) } else { fs::create_dir(path) };
            }
            self.open()?;
        }
        self.children.insert(name.to_owned(), Node::new(What::Directory));
        Ok(())
    }
}

fn is_file(what: &What) -> bool {
    matches!(what, What::Bind(bind) if !bind.source.is_dir())
}

fn names(path: &Path) -> Vec<OsString> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::ParentDir => {
                names.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    names
}

/// The path that a link found in the directory `at` leads to, with the names that follow it.
fn follow(at: &Path, target: &Path, rest: &[OsString]) -> PathBuf {
    let mut path = at.join(target);
    path.extend(rest);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn host() -> tempfile::TempDir {
        let host = tempfile::tempdir().unwrap();
        for directory in ["etc", "opt/java", "run/lock", "usr/bin", "var"] {
            fs::create_dir_all(host.path().join(directory)).unwrap();
        }
        fs::write(host.path().join("etc/hosts"), "").unwrap();
        fs::write(host.path().join("usr/bin/sh"), "").unwrap();
        symlink("usr/bin", host.path().join("bin")).unwrap();
        symlink("/run", host.path().join("var/run")).unwrap();
        host
    }

    fn file(source: &Path) -> What {
        What::Bind(Bind { origin: Origin::Image, ..Bind::host(source.to_owned()) })
    }

    fn at<'a>(tree: &'a Tree, path: &str) -> &'a Node {
        names(Path::new(path)).iter().fold(&tree.root, |node, name| &node.children[name])
    }

    #[test]
    fn what_exists_is_covered_and_its_directory_stays_the_hosts() {
        let host = host();
        let mut tree = Tree::over(host.path()).unwrap();
        let hosts = host.path().join("usr/bin/sh");
        tree.place(Path::new("/etc/hosts"), file(&hosts)).unwrap();
        assert!(matches!(&at(&tree, "/etc").what, What::Bind(bind) if bind.mounted));
        assert!(matches!(&at(&tree, "/etc/hosts").what, What::Bind(bind) if bind.source == hosts));
    }

    #[test]
    fn what_is_missing_opens_only_the_directory_that_lacks_it() {
        let host = host();
        let mut tree = Tree::over(host.path()).unwrap();
        tree.place(Path::new("/opt/flink/conf"), file(&host.path().join("var"))).unwrap();
        assert_eq!(at(&tree, "/opt").what, What::Directory);
        assert!(matches!(&at(&tree, "/opt/java").what, What::Bind(bind) if bind.mounted));
        assert_eq!(at(&tree, "/opt/flink").what, What::Directory);
        assert!(matches!(&at(&tree, "/usr").what, What::Bind(_)));
        assert!(!host.path().join("opt/flink").exists());
    }

    #[test]
    fn a_symbolic_link_on_the_way_is_followed() {
        let host = host();
        let mut tree = Tree::over(host.path()).unwrap();
        tree.place(Path::new("/var/run/secrets/token"), file(&host.path().join("etc/hosts"))).unwrap();
        assert!(matches!(&at(&tree, "/run/secrets/token").what, What::Bind(_)));
        assert!(matches!(&at(&tree, "/run/lock").what, What::Bind(bind) if bind.mounted));
    }

    #[test]
    fn an_image_is_merged_with_the_host_directory_by_directory() {
        let (host, image) = (host(), tempfile::tempdir().unwrap());
        fs::create_dir_all(image.path().join("bin")).unwrap();
        fs::create_dir_all(image.path().join("jobs/a")).unwrap();
        fs::write(image.path().join("bin/tool"), "").unwrap();
        let mut tree = Tree::over(host.path()).unwrap();
        tree.merge(Path::new("/"), image.path()).unwrap();
        assert!(
            matches!(&at(&tree, "/usr/bin/tool").what, What::Bind(bind) if bind.source == image.path().join("bin/tool"))
        );
        assert!(matches!(&at(&tree, "/usr/bin/sh").what, What::Bind(bind) if bind.mounted));
        assert!(matches!(&at(&tree, "/jobs").what, What::Bind(bind) if bind.source == image.path().join("jobs")));
    }

    #[test]
    fn a_mount_inside_a_volume_grows_the_volume() {
        let (host, volume) = (host(), tempfile::tempdir().unwrap());
        let mut tree = Tree::over(host.path()).unwrap();
        let bind = Bind { origin: Origin::Volume { essential: true }, ..Bind::host(volume.path().to_owned()) };
        tree.place(Path::new("/data"), What::Bind(bind)).unwrap();
        tree.place(Path::new("/data/etc/hosts"), file(&host.path().join("etc/hosts"))).unwrap();
        assert!(volume.path().join("etc/hosts").is_file());
        assert!(matches!(&at(&tree, "/data").what, What::Bind(bind) if bind.source == volume.path()));
    }
}
