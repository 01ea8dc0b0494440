//! `up`: everything in one process, in the order in which it is needed, and back in the reverse order.
//!
//! Invariant: when `up` returns, no process of a pod is left and the data directory is free.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::preflight::{self, Machine};
use super::{Error, UpArgs, install, line, quote, system};
use crate::instance::{Instance, Options};
use crate::node::{self, NodeSettings};
use crate::{controllers, kubeconfig};

/// The only node.
pub const NODE: &str = "flinkctl-local";
const OPERATOR_DEADLINE: Duration = Duration::from_mins(1);
/// What the background process says when the foreground may return.
pub const READY: &str = "# ready";

/// The parts of a running `up`.
struct Parts {
    instance: Instance,
    controllers: JoinHandle<Result<(), kube::Error>>,
    stop_controllers: CancellationToken,
    node: JoinHandle<Result<(), node::Error>>,
    stop_node: CancellationToken,
}

pub async fn up(args: UpArgs) -> Result<(), Error> {
    if args.detached {
        super::detach::leave_session()?;
    }
    kit::telemetry::init(&args.telemetry);
    let machine = preflight::check(args.images.flink_home.as_deref().map(Path::new))?;
    let started = Instant::now();
    let data_dir = args.data.path()?;
    let stop = kit::shutdown::token().map_err(system("listen for signals"))?;
    let server_stop = CancellationToken::new();
    let options = Options { data_dir, namespace: args.namespace.clone(), port: args.port };
    let instance = Instance::start(&options, server_stop.clone())?;
    let data_dir = instance.data_dir().to_owned();
    say(&format!("data in {}", data_dir.display()));
    say(&format!("Java {}, Flink {} in {}", machine.java, machine.flink, machine.flink_home.display()));
    say(&format!("API server at {}", instance.url()));
    let mut parts = start(instance, &args, machine, &data_dir)?;
    let result = tokio::select! {
        result = prepare(&parts.instance, &args, started) => match result {
            Ok(()) => {
                print_next(&args, &data_dir);
                wait(&mut parts, &stop, &server_stop).await
            }
            Err(error) => Err(error),
        },
        () = stop.cancelled() => Ok(()),
    };
    say("stopping");
    parts.stop().await;
    say("stopped");
    result
}

fn start(instance: Instance, args: &UpArgs, machine: Machine, data_dir: &Path) -> Result<Parts, Error> {
    let (stop_controllers, stop_node) = (CancellationToken::new(), CancellationToken::new());
    let authority = instance.authority_pem().to_owned();
    let client = instance.client("controllers", &args.namespace);
    instance.expect_controllers();
    let controllers = tokio::spawn(controllers::run(client, authority.clone(), stop_controllers.clone()));
    let settings = NodeSettings {
        client: instance.client("node", &args.namespace),
        name: NODE.to_owned(),
        data_dir: data_dir.to_owned(),
        flink_home: Some(machine.flink_home),
        images: args.images.images.iter().cloned().collect(),
        subnet: instance.subnet(),
        executable: std::env::current_exe().map_err(system("find the running executable"))?,
        api_server: instance.url(),
        ca_pem: authority,
        heartbeat: false,
        kubelet: Some(instance.node_files()?),
    };
    let node = tokio::spawn(node::run(settings, stop_node.clone()));
    Ok(Parts { instance, controllers, stop_controllers, node, stop_node })
}

/// Puts what is needed into the API server and waits until it works.
async fn prepare(instance: &Instance, args: &UpArgs, started: Instant) -> Result<(), Error> {
    let client = instance.client("up", &args.namespace);
    let definitions = install::basics(&client, &args.namespace).await?;
    say(&format!("{definitions} custom resource definitions, namespace {}", args.namespace));
    if !args.without_operator {
        install::operator(&client, instance, &args.namespace).await?;
    }
    install::node_ready(&client, NODE).await?;
    say(&format!("node {NODE} is ready"));
    if !args.without_operator {
        if install::operator_ready(&client, &args.namespace, OPERATOR_DEADLINE).await {
            say("the operator runs");
        } else {
            let seconds = OPERATOR_DEADLINE.as_secs();
            let flag = args.data.flag();
            say(&format!(
                "warning: the operator does not run after {seconds} s; \
                 `flinkctl local logs {}{flag}` may tell why",
                install::OPERATOR
            ));
        }
    }
    say(&format!("ready after {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// Waits for the end: a signal, or a part that ended by itself.
async fn wait(parts: &mut Parts, stop: &CancellationToken, server_stop: &CancellationToken) -> Result<(), Error> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = server_stop.cancelled() => Err(Error::Ended("the store")),
        ended = &mut parts.node => match ended {
            Ok(Err(error)) => Err(Error::Node(error)),
            Ok(Ok(())) | Err(_) => Err(Error::Ended("the node")),
        },
        ended = &mut parts.controllers => match ended {
            Ok(Err(error)) => Err(super::request("run the controllers")(error)),
            Ok(Ok(())) | Err(_) => Err(Error::Ended("the controllers")),
        },
    }
}

impl Parts {
    /// Controllers first, so that nobody replaces the pods that the node ends; the server last, so that the node can tell.
    async fn stop(self) {
        self.stop_controllers.cancel();
        if !self.controllers.is_finished() {
            let _ = self.controllers.await;
        }
        self.stop_node.cancel();
        if !self.node.is_finished() {
            let _ = self.node.await;
        }
        self.instance.shutdown().await;
    }
}

/// What to type next, in a form that a shell can take: `eval "$(flinkctl local up --detach)"`.
fn print_next(args: &UpArgs, data_dir: &Path) {
    let flag = args.data.flag();
    line(&format!("export KUBECONFIG={}", quote(&kubeconfig::path(data_dir))));
    line("# then, for example:");
    line("#   kubectl get flinkdeployments,flinkclusters,flinkjobs");
    line(&format!("#   flinkctl local status{flag}"));
    line(&format!("#   flinkctl local down{flag}"));
    if args.detached {
        line(READY);
    }
}

fn say(text: &str) {
    eprintln!("flinkctl local: {text}");
}
