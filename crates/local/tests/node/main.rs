//! The node against the real API server: pods that run, fail, listen, and end.
//!
//! The executable of this test is the container image: the node starts it as its shim, and pods run it as their server. Therefore it has a main
//! function of its own, which runs the tests whose names hold the first argument.

mod files;
mod flink;
mod life;
mod network;
mod restart;
mod restricted;
mod streams;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use world::World;

type Case = fn(World) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($module), stringify!($name), (|world| Box::pin($module::$name(world))) as Case)),*]
    };
}

const LIMIT: Duration = Duration::from_mins(1);
/// The exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    if let Some(code) = local::dispatch() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("echo") => return streams::echo(),
        Some("serve") => return network::serve(),
        Some("instance") => return world::host(arguments.get(1).expect("a directory")),
        _ => {}
    }
    let cases = cases![
        life::a_job_ends_and_its_log_and_status_tell_how,
        life::a_failed_container_says_why_and_starts_again,
        life::init_containers_come_first_and_in_order,
        life::a_deleted_pod_ends_politely_with_all_its_processes,
        life::a_container_that_does_not_live_is_started_again,
        life::an_unknown_image_names_the_flag_and_can_be_mended,
        files::volumes_and_credentials_are_where_pods_expect_them,
        files::what_a_pod_writes_stays_in_the_pod,
        files::what_cannot_be_mounted_is_told,
        network::a_service_leads_to_ready_pods_by_name,
        network::a_blocked_port_is_blamed_on_its_owner,
        streams::commands_run_in_containers_and_tell_how_they_end,
        streams::a_command_has_a_terminal_of_its_own,
        streams::what_a_client_started_ends_with_it,
        streams::all_streams_end_with_their_pod,
        streams::a_node_with_open_streams_stops,
        streams::ports_of_pods_and_services_are_forwarded,
        streams::who_attaches_sees_what_is_printed,
        streams::figures_tell_who_works,
        flink::two_clusters_have_the_standard_ports,
        flink::the_manual_concatenates_properties_in_a_shell,
        restricted::what_lies_elsewhere_is_found,
        restricted::a_machine_without_mounts_runs_pods_all_the_same,
        restart::nothing_outlives_a_killed_node_and_pods_are_told,
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // A program in the background of a shell ignores SIGINT, and so do those that it starts, unless it handles the signal itself.
    runtime.spawn(async {
        signal(SignalKind::interrupt()).expect("it can be handled").recv().await;
        std::process::exit(INTERRUPTED);
    });
    let filter = arguments.iter().find(|argument| !argument.starts_with('-')).cloned().unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    let flink_home = std::env::var_os("FLINK_HOME");
    for (module, name, case) in
        cases.into_iter().filter(|(module, name, _)| format!("{module}::{name}").contains(&filter))
    {
        if module == "flink" && flink_home.is_none() {
            println!("test {module}::{name} ... left out, FLINK_HOME is not set");
            continue;
        }
        let since = Instant::now();
        let result = LocalSet::new().block_on(&runtime, async {
            let world = World::new(name).await;
            let shutdown = world.shutdown.clone();
            let result = tokio::task::spawn_local(tokio::time::timeout(LIMIT, case(world))).await;
            shutdown.end().await;
            result
        });
        let ok = matches!(result, Ok(Ok(())));
        let word = match result {
            Ok(Ok(())) => "ok",
            Ok(Err(_)) => "FAILED (took too long)",
            Err(_) => "FAILED",
        };
        println!("test {module}::{name} ... {word} ({:.1} s)", since.elapsed().as_secs_f64());
        if ok { passed += 1 } else { failed += 1 }
    }
    println!("\ntest result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
