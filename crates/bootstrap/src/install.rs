//! `bootstrap install`: copies this executable, so that an image without flinkctl can run it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Copy this executable
#[derive(Clone, Debug, clap::Args)]
pub struct InstallArgs {
    /// Where to put it
    #[arg(long)]
    pub to: PathBuf,
}

/// The executable could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("copy this executable to {to}")]
pub struct InstallError {
    to: PathBuf,
    source: io::Error,
}

/// Copies the running executable with mode 0755. Who looks at the target sees nothing or the whole file.
pub fn install(args: &InstallArgs) -> Result<(), InstallError> {
    let failed = |source| InstallError { to: args.to.clone(), source };
    let from = std::env::current_exe().map_err(failed)?;
    copy(&from, &args.to).map_err(failed)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut name = to.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".part");
    let part = directory.join(name);
    fs::copy(from, &part)?;
    fs::set_permissions(&part, Permissions::from_mode(0o755))?;
    fs::rename(&part, to)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{InstallArgs, install};

    #[test]
    fn the_copy_is_whole_and_can_be_run() {
        let directory = std::env::temp_dir().join(format!("flinkctl-install-{}", std::process::id()));
        let to = directory.join("bin/flinkctl");
        for _ in 0..2 {
            install(&InstallArgs { to: to.clone() }).unwrap();
        }
        let own = fs::metadata(std::env::current_exe().unwrap()).unwrap().len();
        let copy = fs::metadata(&to).unwrap();
        assert_eq!((copy.len(), copy.permissions().mode() & 0o777), (own, 0o755));
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }
}
