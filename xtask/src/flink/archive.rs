//! Fetching, checking and unpacking the archive.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::ui::Step;
use crate::workspace;

const PACKAGE: &str = "apache-flink-libraries";

/// What Flink needs at run time, below the archive's directory `deps`.
const PARTS: [&str; 5] = ["lib", "opt", "plugins", "bin", "licenses"];

/// Under which terms it is used, at the top of the archive.
const TERMS: [&str; 2] = ["LICENSE", "NOTICE"];

/// The archive of a version with this hash, from the cache or the package index.
pub fn fetch(version: &str, sha256: &str, cache: &Path) -> Result<PathBuf> {
    let archive = cache.join(format!("apache_flink_libraries-{version}.tar.gz"));
    if archive.exists() {
        let step = Step::start(format!("Check the archive of Flink {version}"));
        if hash(&archive)? == sha256 {
            step.done();
            return Ok(archive);
        }
        step.done_with("it is damaged and is fetched again");
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    }
    download(version, sha256, cache)?;
    if !archive.exists() {
        bail!("pip ended well, but {} is not there", archive.display());
    }
    Ok(archive)
}

/// pip downloads to a directory of its own; only a whole and right archive is moved to the cache.
fn download(version: &str, sha256: &str, cache: &Path) -> Result<()> {
    let staging = tempfile::Builder::new()
        .prefix("download-")
        .tempdir_in(cache)
        .with_context(|| format!("cannot create a directory in {}", cache.display()))?;
    let step = Step::start_plain(format!("Download Flink {version} (about 300 MB, once)"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-cache-dir"]).args([
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--retries",
        "5",
    ]);
    if resumes()? {
        pip.args(["--resume-retries", "5"]);
    }
    pip.arg("--dest").arg(staging.path()).arg(format!("{PACKAGE}=={version}"));
    let fetched = if stderr().is_terminal() {
        // pip draws its own bar, where talk belongs.
        workspace::run(pip.args(["--progress-bar", "on"]).stdout(Stdio::from(stderr())))
    } else {
        workspace::capture(pip.args(["--progress-bar", "off"])).map(drop)
    };
    fetched.with_context(|| {
        format!(
            "cannot download {PACKAGE} {version}. Check that pip reaches its package index and run this again; or set \
             FLINK_HOME to a Flink distribution that you have"
        )
    })?;
    let file = fs::read_dir(staging.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .context("pip downloaded no source archive")?;
    let found = hash(&file)?;
    if found != sha256 {
        bail!("the archive of Flink {version} has the SHA-256 {found}, {sha256} is expected: it is not used");
    }
    let size = fs::metadata(&file)?.len() / 1_000_000;
    fs::rename(&file, cache.join(format!("apache_flink_libraries-{version}.tar.gz")))?;
    step.done_with(&format!("{size} MB, hash verified"));
    Ok(())
}

/// Whether this pip can go on with an interrupted download (25.1 and later).
fn resumes() -> Result<bool> {
    let help = workspace::capture(Command::new("python3").args(["-m", "pip", "download", "--help"]))?;
    Ok(help.contains("--resume-retries"))
}

/// The SHA-256 of a file, computed by pip: as fast as the machine can, also from a debug build.
fn hash(file: &Path) -> Result<String> {
    let text =
        workspace::capture(Command::new("python3").args(["-m", "pip", "hash", "--algorithm", "sha256"]).arg(file))?;
    let (_, hash) = text.rsplit_once("--hash=sha256:").context("pip printed no hash")?;
    Ok(hash.trim().to_owned())
}

/// Unpacks to a directory beside the home and renames it, so that a home is whole or absent.
pub fn unpack(archive: &Path, home: &Path) -> Result<()> {
    let parent = home.parent().context("a home lies in a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::Builder::new().prefix(".unpack-").tempdir_in(parent)?;
    let root = archive
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_suffix(".tar.gz"))
        .context("the archive is called <root>.tar.gz")?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(staging.path()).arg("--strip-components=1");
    tar.args(TERMS.map(|file| format!("{root}/{file}")));
    tar.args(PARTS.map(|part| format!("{root}/deps/{part}")));
    workspace::capture(&mut tar)?;
    let deps = staging.path().join("deps");
    for part in PARTS {
        fs::rename(deps.join(part), staging.path().join(part))?;
    }
    fs::remove_dir(&deps)?;
    configure(staging.path())?;
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    let staging = staging.keep();
    fs::rename(&staging, home).with_context(|| format!("cannot move {} to {}", staging.display(), home.display()))
}

/// The archive has no configuration; Flink 2 does not start without a file, and logs nothing without the other.
fn configure(home: &Path) -> Result<()> {
    let conf = home.join("conf");
    fs::create_dir(&conf)?;
    fs::write(conf.join("config.yaml"), CONFIG)?;
    fs::write(conf.join("log4j-console.properties"), LOGGING)?;
    Ok(())
}

const CONFIG: &str = "parallelism.default: 1\n";

const LOGGING: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = CONSOLE
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.netty.name = org.apache.flink.shaded.netty4.io.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
";
