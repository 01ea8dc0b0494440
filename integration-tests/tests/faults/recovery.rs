//! Flink's own high availability: it brings jobs back, and nobody else does.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::setup::flink_home;
use integration_tests::wait::until;
use integration_tests::world::{UP, World, is_running, job_id};
use serde_json::json;

use crate::finish;

/// A ZooKeeper of one server, as the distribution of Flink has it.
struct ZooKeeper {
    process: Child,
    address: String,
}

impl ZooKeeper {
    fn start(world: &World) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = world.state().join("zookeeper");
        std::fs::create_dir_all(&directory)?;
        let file = directory.join("zoo.cfg");
        // The ports of a server that is alone are not used.
        let lines = format!(
            "tickTime=500\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\nserver.1=127.0.0.1:1:2\n",
            directory.display()
        );
        std::fs::write(&file, lines)?;
        let process = Command::new("java")
            .arg("-Xmx64m")
            .arg("-cp")
            .arg(format!("{}/lib/*", flink_home()?.display()))
            .arg("org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer")
            .arg("--zkConfigFile")
            .arg(&file)
            .args(["--peerId", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start ZooKeeper")?;
        Ok(Self { process, address: format!("127.0.0.1:{port}") })
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub async fn flink_brings_a_job_back_under_its_own_id(world: Arc<World>) -> Result<()> {
    let zookeeper = ZooKeeper::start(&world)?;
    until("ZooKeeper answers", UP, async || Ok(std::net::TcpStream::connect(&zookeeper.address).ok())).await?;
    let state = world.state().to_owned();
    let mut cluster = cluster_spec(&state, json!({}));
    let options = cluster["flinkConfiguration"].as_object_mut().context("the cluster has options")?;
    options.insert("high-availability.type".into(), json!("zookeeper"));
    options.insert("high-availability.zookeeper.quorum".into(), json!(zookeeper.address));
    options.insert("high-availability.storageDir".into(), json!(format!("file://{}/ha", state.display())));
    options.insert("high-availability.zookeeper.client.session-timeout".into(), json!("4000"));
    let job = counter_spec(&state, "available-job", json!({}));
    world.apply(&[objects::deployment("available", &cluster, &[("job", job)])]).await?;
    let first = world.running("available-job").await?;
    let id = job_id(&first).to_owned();
    let before = world.counted("available-job", &id, 50).await?;

    let lost = world.pod("clusterName=available,role=jobmanager").await?;
    world.local.kill(&lost).await?;
    world.when("fj", "available-job", "notices the loss", UP, |job| !is_running(job)).await?;
    let second = world.running("available-job").await?;
    ensure!(job_id(&second) == id, "Flink has brought it back: {} and not {id}", job_id(&second));
    ensure!(second["status"]["record"]["attempt"]["number"] == 1, "nothing was submitted again");
    let next = world.pod("clusterName=available,role=jobmanager").await?;
    ensure!(next != lost, "another JobManager has taken its place");
    world.counted("available-job", &id, before.committed() + 50).await?;
    world.request("fj", "available-job", "STOP").await?;
    world.stopped("available-job").await?;
    finish(&world, "available").await
}
