//! One pod's place on the host: its directory, its address, its volumes, and how its containers are put into it.

use super::Machine;
use super::board::Board;
use super::environment::{self, Environment, Facts, Sources, View};
use super::image::{Image, Layout};
use super::relocate::Relocation;
use super::volume::{self, Account, Place};
use super::{hosts, image};
use crate::shim::{self, Mount, Order};
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where clients look for the credentials of a pod.
pub(super) const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TERMINATION_LOG: &str = "/dev/termination-log";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Environment(#[from] environment::Error),
    #[error("{0}")]
    Volume(#[from] volume::Error),
    #[error("prepare {what}: {source}")]
    File { what: String, source: io::Error },
}

fn file(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::File { what, source }
}

pub(super) struct Sandbox {
    pub machine: Arc<Machine>,
    pub pod: Pod,
    pub directory: PathBuf,
    pub address: Ipv4Addr,
    pub board: Board,
}

/// What is read from the control plane before containers start.
#[derive(Clone, Debug, Default)]
pub(super) struct Supplies {
    pub sources: Sources,
    pub account: Option<Account>,
    pub volumes: BTreeMap<String, Place>,
}

/// One life of a container, ready to start.
pub(super) struct Prepared {
    pub order: Order,
    pub log: PathBuf,
    pub termination: PathBuf,
}

impl Sandbox {
    pub fn name(&self) -> String {
        self.pod.name_any()
    }

    pub fn namespace(&self) -> String {
        self.pod.namespace().unwrap_or_default()
    }

    pub fn container_directory(&self, container: &str) -> PathBuf {
        self.directory.join(container)
    }

    pub fn facts(&self) -> Facts {
        Facts {
            pod_address: self.address.to_string(),
            host_address: self.machine.address().to_string(),
            cpu: self.machine.capacity.cpu.clone(),
            memory: self.machine.capacity.memory.clone(),
        }
    }

    /// Makes the directory and the files that all containers share.
    pub fn make(&self) -> Result<(), Error> {
        let directory = |path: &Path, mode| {
            fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        };
        directory(&self.directory, 0o755).map_err(file(self.directory.display().to_string()))?;
        directory(&self.directory.join("tmp"), 0o1777).map_err(file("tmp"))?;
        fs::write(self.directory.join("hostname"), self.hostname() + "\n").map_err(file("hostname"))?;
        fs::write(self.directory.join("nsswitch.conf"), hosts::name_service_switch()).map_err(file("nsswitch.conf"))?;
        self.write_hosts().map_err(file("hosts"))
    }

    pub fn hostname(&self) -> String {
        self.pod.spec.as_ref().and_then(|spec| spec.hostname.clone()).unwrap_or_else(|| self.name())
    }

    /// Brings the hosts file up to date; true is lost on nobody, as containers read the file at each look-up.
    pub fn write_hosts(&self) -> io::Result<()> {
        let namespace = self.namespace();
        let aliases = self.pod.spec.iter().flat_map(|spec| spec.host_aliases.iter().flatten());
        let aliases: Vec<_> =
            aliases.map(|alias| (alias.ip.clone(), alias.hostnames.clone().unwrap_or_default())).collect();
        let mut names = self.hostname();
        if self.machine.isolation.is_none()
            && let Some(machine) = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok())
        {
            // Programs look up the name that the machine tells them.
            names = format!("{names} {machine}");
        }
        let text = hosts::hosts(&names, self.address, &namespace, &self.machine.services.names(&namespace), &aliases);
        hosts::write_in_place(&self.directory.join("hosts"), &text).map(drop)
    }

    /// Makes the volumes of the pod.
    pub fn volumes(&self, sources: &Sources, account: Option<&Account>) -> Result<BTreeMap<String, Place>, Error> {
        let facts = self.facts();
        let view = View { pod: &self.pod, sources, facts: &facts };
        let (directory, none) = (self.directory.join("volumes"), Account::default());
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let mut places = BTreeMap::new();
        for volume in volumes {
            places.insert(volume.name.clone(), volume::prepare(volume, &directory, view, account.unwrap_or(&none))?);
        }
        Ok(places)
    }

    /// Everything that the shim must know to become the container.
    pub fn prepare(
        &self,
        container: &Container,
        image: &Image,
        restart: i32,
        supplies: &Supplies,
    ) -> Result<Prepared, Error> {
        let directory = self.container_directory(&container.name);
        fs::create_dir_all(directory.join("root")).map_err(file("the container's directory"))?;
        let layout = image.layout(&self.machine.host, &directory).map_err(file("the image"))?;
        let termination = directory.join("termination-log");
        fs::write(&termination, "").map_err(file("the termination log"))?;
        let environment = self.environment(container, &layout, supplies)?;
        let program = program(container, &layout.entrypoint, &environment);
        let mounts = self.mounts(container, &layout, &environment, supplies)?;
        let working = container.working_dir.clone().filter(|path| !path.is_empty());
        let mut order = Order {
            program,
            environment: environment.into_pairs(),
            directory: working.map_or(layout.directory, PathBuf::from),
            node: nix::unistd::getpid().as_raw(),
            place: shim::Place::Host,
            input: None,
        };
        if let Some(isolation) = self.machine.isolation {
            order.place = shim::Place::Root(shim::Root {
                staging: directory.join("root"),
                user_namespace: isolation.user_namespace,
                hostname: self.hostname(),
                layers: layout.layers,
                directories: layout.directories,
                mounts,
                scripts: layout.scripts,
            });
        } else {
            let scripts = write_scripts(&directory, &layout.scripts).map_err(file("scripts"))?;
            Relocation { mounts: &mounts, layers: &layout.layers, scripts: &scripts }.order(&mut order);
        }
        Ok(Prepared { order, log: directory.join(format!("{restart}.log")), termination })
    }

    fn environment(&self, container: &Container, layout: &Layout, supplies: &Supplies) -> Result<Environment, Error> {
        let mut base = Environment::default();
        for (name, value) in &layout.environment {
            base.set(*name, value);
        }
        base.set("HOSTNAME", self.hostname());
        base.set("FLINKCTL_POD_IP", self.address.to_string());
        let (host, port) = &self.machine.api_server;
        base.set("KUBERNETES_SERVICE_HOST", host);
        base.set("KUBERNETES_SERVICE_PORT", port.to_string());
        base.set("KUBERNETES_SERVICE_PORT_HTTPS", port.to_string());
        if self.machine.isolation.is_none() {
            // Without mounts the files are where they lie on the host.
            base.set("FLINKCTL_HOSTS", self.directory.join("hosts").display().to_string());
            base.set("TMPDIR", self.directory.join("tmp").display().to_string());
            let termination = self.container_directory(&container.name).join("termination-log");
            base.set("TERMINATION_MESSAGE_PATH", termination.display().to_string());
            if let Some(account) = &supplies.account {
                let kubeconfig = self.directory.join("kubeconfig");
                fs::write(&kubeconfig, self.machine.kubeconfig(account)).map_err(file("the kubeconfig"))?;
                base.set("KUBECONFIG", kubeconfig.display().to_string());
            }
        }
        let facts = self.facts();
        let view = View { pod: &self.pod, sources: &supplies.sources, facts: &facts };
        Ok(environment::resolve(view, container, base)?)
    }

    fn mounts(
        &self,
        container: &Container,
        layout: &Layout,
        environment: &Environment,
        supplies: &Supplies,
    ) -> Result<Vec<Mount>, Error> {
        let of_pod = |name: &str, target: &str, essential| Mount {
            source: self.directory.join(name),
            target: target.into(),
            read_only: false,
            essential,
        };
        let mut mounts = layout.mounts.clone();
        if self.machine.isolation.is_some() {
            if layout.own_tmp {
                mounts.push(of_pod("tmp", "/tmp", true));
            }
            mounts.push(of_pod("hosts", "/etc/hosts", true));
            mounts.push(of_pod("hostname", "/etc/hostname", false));
            mounts.push(of_pod("nsswitch.conf", "/etc/nsswitch.conf", false));
        }
        let target = container.termination_message_path.as_deref().unwrap_or(TERMINATION_LOG);
        mounts.push(of_pod(&format!("{}/termination-log", container.name), target, false));
        let asked = container.volume_mounts.as_deref().unwrap_or_default();
        let has_account = asked.iter().any(|mount| Path::new(&mount.mount_path) == Path::new(ACCOUNT));
        if let Some(account) = supplies.account.as_ref().filter(|_| !has_account) {
            let place = volume::write_account(&self.directory.join("account"), account)?;
            mounts.push(Mount { source: place.path, target: ACCOUNT.into(), read_only: true, essential: true });
        }
        for mount in asked {
            let place = volume::mounted(mount, &supplies.volumes, |text| environment.expand(text))?;
            let read_only = place.read_only || mount.read_only == Some(true);
            mounts.push(Mount {
                source: place.path,
                target: PathBuf::from(&mount.mount_path),
                read_only,
                essential: true,
            });
        }
        Ok(mounts)
    }
}

/// Command and arguments: those of the pod, else those of the image. Arguments alone are for the image's entry point.
fn program(container: &Container, entrypoint: &[String], environment: &Environment) -> Vec<String> {
    let expand = |words: &Vec<String>| words.iter().map(|word| environment.expand(word)).collect::<Vec<_>>();
    let command =
        container.command.as_ref().filter(|command| !command.is_empty()).map_or_else(|| entrypoint.to_vec(), expand);
    command.into_iter().chain(container.args.as_ref().map(expand).unwrap_or_default()).collect()
}

/// Writes an image's scripts where the host can run them: old and new path of each.
fn write_scripts(directory: &Path, scripts: &[(PathBuf, String)]) -> io::Result<Vec<(String, String)>> {
    let mut written = Vec::new();
    for (path, text) in scripts {
        let copy = directory.join(path.file_name().unwrap_or_default());
        fs::write(&copy, text)?;
        fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
        written.push((path.display().to_string(), copy.display().to_string()));
    }
    Ok(written)
}

/// The directory of a pod below the data directory.
pub(super) fn directory(data: &Path, pod: &Pod) -> PathBuf {
    let name = format!("{}_{}_{}", pod.namespace().unwrap_or_default(), pod.name_any(), pod.uid().unwrap_or_default());
    data.join("pods").join(name)
}

pub(super) fn find_image(machine: &Machine, name: &str) -> Result<Image, image::Error> {
    machine.images.find(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_follow_the_images_entry_point_unless_the_pod_has_a_command() {
        let mut environment = Environment::default();
        environment.set("FLINK_PROPERTIES", "a: b\n");
        let entrypoint = ["/docker-entrypoint.sh".to_owned()];
        let with = |container: serde_json::Value| {
            program(&serde_json::from_value(container).unwrap(), &entrypoint, &environment)
        };
        assert_eq!(with(json!({"name": "c", "args": ["jobmanager"]})), ["/docker-entrypoint.sh", "jobmanager"]);
        let manual = json!({"name": "c", "command": ["bash"], "args": ["-c", "FLINK_PROPERTIES=\"$(FLINK_PROPERTIES)\" /docker-entrypoint.sh jobmanager"]});
        assert_eq!(with(manual), ["bash", "-c", "FLINK_PROPERTIES=\"a: b\n\" /docker-entrypoint.sh jobmanager"]);
    }
}
