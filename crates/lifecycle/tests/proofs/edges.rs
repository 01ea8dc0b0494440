//! What is published as the ways between phases is what decisions do.

use lifecycle::transitions::{CLUSTER, Edge, JOB};

use crate::table::Walked;

/// Ways that were walked and are not published, and the other way round.
fn compare(walked: &Walked, published: &[Edge]) -> (Walked, Walked) {
    let published: Walked = published.iter().map(|edge| (edge.from.to_owned(), edge.to.to_owned())).collect();
    let unpublished = walked.difference(&published).filter(|(from, to)| from != to).cloned().collect();
    (unpublished, published.difference(walked).cloned().collect())
}

/// C-10
#[test]
fn the_published_ways_of_a_job_are_walked_and_no_others() {
    let walked = crate::job_table::rows()
        .iter()
        .chain(&crate::job_commands::rows())
        .chain(&crate::takeover::jobs())
        .filter_map(crate::table::Row::walked)
        .collect();
    assert_eq!(compare(&walked, JOB), Default::default());
}

/// C-10
#[test]
fn the_published_ways_of_a_cluster_are_walked_and_no_others() {
    let walked = crate::cluster_table::rows()
        .iter()
        .chain(&crate::takeover::clusters())
        .filter_map(crate::table::Row::walked)
        .collect();
    assert_eq!(compare(&walked, CLUSTER), Default::default());
}
