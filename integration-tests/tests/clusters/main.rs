//! Clusters and deployments: from creation to deletion, changes, scaling, names.

mod deployments;
mod lifecycle;
mod refusals;

use std::process::ExitCode;

use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(
        3,
        vec![
            scenario!(deployments::a_deployment_in_the_form_of_the_manual_lives_and_dies, "manual"),
            scenario!(deployments::a_deployment_follows_its_spec, "follow"),
            scenario!(lifecycle::clusters_whose_names_are_prefixes_of_each_other_do_not_meet, "pre"),
            scenario!(lifecycle::a_cluster_is_stopped_and_started_by_annotation, "halt"),
            scenario!(lifecycle::a_bare_cluster_is_scaled_by_kubectl, "bare"),
            scenario!(lifecycle::a_changed_section_restarts_the_cluster_and_its_jobs_go_on, "section"),
            scenario!(lifecycle::a_job_survives_its_cluster, "survive"),
            scenario!(refusals::what_can_never_run_is_refused_with_the_name_of_the_field, "refused"),
        ],
    )
}
