//! What a person can do, by reason.
//!
//! Commands are complete: `{cluster}`, `{job}` (the name within the cluster), `{namespace}`, and the resources in which the definitions of
//! job and cluster stand, which may be their deployment, are filled in.

use api::FlinkCluster;
use api::conditions::reasons as why;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Advice, Cause, Verdict, View, What, place};

/// What a reason means for the resource that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// As it should be.
    Fine,
    /// On the way; it passes by itself.
    Passing,
    /// Something is wrong.
    Trouble,
    /// It is not meant to run.
    Rest,
}

/// For which kinds of resources a command is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Any,
    Cluster,
    Job,
}

struct Entry {
    reason: &'static str,
    nature: Nature,
    /// Empty where nothing needs to be done.
    text: &'static str,
    commands: &'static [(On, &'static str)],
}

const fn entry(
    reason: &'static str,
    nature: Nature,
    text: &'static str,
    commands: &'static [(On, &'static str)],
) -> Entry {
    Entry { reason, nature, text, commands }
}

use Nature::{Fine, Passing, Rest, Trouble};
use On::{Any, Cluster, Job};

const EDIT_JOB: (On, &str) = (Job, "kubectl edit {job-definition} -n {namespace}");
const EDIT_CLUSTER: (On, &str) = (Any, "kubectl edit {cluster-definition} -n {namespace}");
const START_JOB: (On, &str) = (Job, "flinkctl job start --cluster-name={cluster} --job-name={job}");
const START_ANEW: (On, &str) =
    (Job, "flinkctl job start --cluster-name={cluster} --job-name={job} --without-savepoint");
const START_CLUSTER: (On, &str) = (Any, "flinkctl cluster start --cluster-name={cluster}");
const FORGET: (On, &str) = (Job, "flinkctl savepoint forget --cluster-name={cluster} --job-name={job}");
const EXPLAIN_CLUSTER: (On, &str) = (Job, "flinkctl explain cluster {cluster}");
const LOGS: (On, &str) = (Any, "flinkctl logs {cluster} --of=jobmanager --tail=100");
const SUPERVISOR_LOGS: (On, &str) = (Any, "flinkctl logs {cluster} --of=supervisor --tail=50");
const PODS: (On, &str) = (Any, "kubectl get pods -l clusterName={cluster} -n {namespace} -o wide");
const QUOTA: (On, &str) = (Any, "kubectl describe resourcequota -n {namespace}");
const DOCTOR: (On, &str) = (Any, "flinkctl doctor --namespace={namespace}");

/// Every reason that a condition can have.
const TABLE: &[Entry] = &[
    entry(
        why::UNKNOWN,
        Passing,
        "If this lasts longer than a minute: see whether the operator runs, watches this namespace, and may do its work.",
        &[DOCTOR, (Any, "kubectl logs deployment/flink-operator -n {namespace} --tail=50")],
    ),
    entry(why::STARTING, Passing, "", &[]),
    entry(why::RUNNING, Fine, "", &[]),
    entry(why::UPDATING, Passing, "", &[]),
    entry(why::UPDATED, Fine, "", &[]),
    entry(why::STOPPING, Passing, "", &[]),
    entry(
        why::STOPPED,
        Rest,
        "It was stopped on request. Start it when it shall run again.",
        &[START_JOB, (Cluster, "flinkctl cluster start --cluster-name={cluster}")],
    ),
    entry(
        why::SUSPENDED,
        Rest,
        "Its parallelism is 0. Give it one when it shall run.",
        &[(Job, "flinkctl job scale --cluster-name={cluster} --job-name={job} --parallelism=1")],
    ),
    entry(
        why::CLUSTER_STOPPED,
        Rest,
        "It was stopped with its cluster. Start the cluster, then the job, unless its restart policy does that.",
        &[START_CLUSTER, START_JOB],
    ),
    entry(why::FINISHED, Rest, "It has done its work. Start it if it shall do it again.", &[START_JOB]),
    entry(
        why::FAILED,
        Trouble,
        "The program failed in Flink: mend what the message names, in the program, its arguments, or what it speaks to. A changed definition starts it again, and so does START.",
        &[LOGS, EDIT_JOB, START_JOB],
    ),
    entry(
        why::CANCELED,
        Rest,
        "Somebody canceled it in Flink, not through flinkctl. Start it when it shall run again.",
        &[START_JOB],
    ),
    entry(
        why::LOST,
        Trouble,
        "Its JobManager was lost, and its restart policy is Never. Start it: it goes on from its newest checkpoint or savepoint. With restartPolicy OnlyIfFailed it would have done so by itself.",
        &[START_JOB, EDIT_JOB],
    ),
    entry(why::TERMINATED, Rest, "It is over with this resource; it is about to be removed.", &[]),
    entry(why::DELETING, Passing, "", &[]),
    entry(
        why::NO_CLUSTER,
        Trouble,
        "Create the cluster, or give the job a name that begins with the name of a cluster and a dash.",
        &[(Any, "flinkctl clusters list")],
    ),
    entry(why::WAITING_FOR_CLUSTER, Passing, "It goes on once its cluster runs.", &[EXPLAIN_CLUSTER]),
    entry(
        why::NOT_ENOUGH_SLOTS,
        Trouble,
        "Allow more TaskManagers (spec.maxTaskManagers; with rescalePolicy None also spec.taskManagers), give each more slots (spec.taskManager.taskSlots), or lower the parallelism of a job. If TaskManagers are missing, see why their pods do not run.",
        &[
            (Any, "flinkctl cluster scale --cluster-name={cluster} --task-managers=N --dry-run"),
            EDIT_CLUSTER,
            (Job, "flinkctl job scale --cluster-name={cluster} --job-name={job} --parallelism=N --dry-run"),
            PODS,
        ],
    ),
    entry(
        why::UNREACHABLE,
        Trouble,
        "The JobManager does not answer. It is replaced after spec.supervisor.taskTimeout; look at its log for long pauses, a full heap or a full disk, and at network policies between the supervisor and port 8081.",
        &[LOGS, PODS],
    ),
    entry(
        why::RECOVERING,
        Passing,
        "Its JobManager is another one by now, and Flink's high availability brings the job back. If that lasts: see whether JobManagers start, and whether they reach what high availability is kept in.",
        &[EXPLAIN_CLUSTER, LOGS],
    ),
    entry(
        why::NODE_LOST,
        Trouble,
        "A pod is on a node that does not answer, and may still write. Bring the node back; or, if it is surely off, delete the node or taint it as out of service. spec.jobManager.nodeLostTimeout gives pods on such nodes up by itself; with Flink's high availability nothing waits for them.",
        &[
            PODS,
            (Any, "kubectl taint nodes NODE node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"),
            (Any, "kubectl delete node NODE"),
            EDIT_CLUSTER,
        ],
    ),
    entry(
        why::DELETION_BLOCKED,
        Trouble,
        "The message says what the deletion waits for, so that nothing is left running. It goes on by itself once that has changed; the annotation lets the resource go at once, and leaves behind what may still run.",
        &[
            (Job, "kubectl annotate fj {cluster}-{job} -n {namespace} operator.nextbreakpoint.com/force-delete=true"),
            (Cluster, "kubectl annotate fc {cluster} -n {namespace} operator.nextbreakpoint.com/force-delete=true"),
            PODS,
        ],
    ),
    entry(
        why::JOB_MANAGER_FAILING,
        Trouble,
        "JobManagers end soon after they start. Mend what the message names: wrong options and too little memory in spec.flinkConfiguration (jobmanager.memory.process.size) or spec.jobManager.resources, a wrong image, or a missing volume. After OOMKilled, raise the memory limit. A changed definition is tried at once.",
        &[EDIT_CLUSTER, LOGS],
    ),
    entry(
        why::TASK_MANAGER_FAILING,
        Trouble,
        "TaskManagers end soon after they start. Mend what the message names: too little memory in spec.flinkConfiguration (taskmanager.memory.process.size) or spec.taskManager.resources, wrong options, or a missing volume. After OOMKilled, raise the memory limit.",
        &[EDIT_CLUSTER, PODS],
    ),
    entry(
        why::UNSUPPORTED_FLINK,
        Trouble,
        "Set spec.runtime.image to an image with Flink 1.18 or newer.",
        &[EDIT_CLUSTER],
    ),
    entry(
        why::INVALID,
        Trouble,
        "The definition cannot be used: change the field that the message names. Checked beforehand, this is found without a cluster.",
        &[(Any, "flinkctl validate -f FILE")],
    ),
    entry(
        why::NAME_TAKEN,
        Trouble,
        "Another resource has the name of a part of this deployment. Remove it, or give the deployment or its job another name.",
        &[(Any, "kubectl get fd,fc,fj -n {namespace}")],
    ),
    entry(why::IMAGE_REPLACED, Fine, "", &[]),
    entry(
        why::IMAGE_ERROR,
        Trouble,
        "Mend the name of the image, see that it is in its registry, and that pullSecrets names a Secret with credentials for it. On flinkctl local, map it with --image NAME=DIR. A changed definition is tried at once.",
        &[
            EDIT_JOB,
            (Cluster, "kubectl edit {cluster-definition} -n {namespace}"),
            (Any, "kubectl get secrets -n {namespace}"),
        ],
    ),
    entry(
        why::UNSCHEDULABLE,
        Trouble,
        "No node can take a pod. Add nodes, lower the requests in the definition, or mend affinity and tolerations.",
        &[(Any, "kubectl describe nodes"), PODS],
    ),
    entry(
        why::POD_TROUBLE,
        Trouble,
        "A pod does not start. Mend what the message names: a Secret, ConfigMap or volume that is missing, a command that is not in the image, or a security context that is refused.",
        &[PODS, (Any, "kubectl get events -n {namespace} --sort-by=.lastTimestamp")],
    ),
    entry(
        why::QUOTA_EXCEEDED,
        Trouble,
        "The namespace's ResourceQuota allows no more. Raise it, lower the resources or the number of TaskManagers, or stop something else. It goes on by itself then.",
        &[QUOTA, (Any, "flinkctl cluster scale --cluster-name={cluster} --task-managers=N --dry-run")],
    ),
    entry(
        why::FORBIDDEN,
        Trouble,
        "A service account lacks a right that the message names. Grant it with a Role and RoleBinding of this namespace; where an admission policy refuses the pod, change its security context or the policy. It goes on by itself then.",
        &[
            DOCTOR,
            (Any, "kubectl auth can-i --list --as=system:serviceaccount:{namespace}:flink-supervisor -n {namespace}"),
        ],
    ),
    entry(
        why::KUBERNETES_FAILED,
        Trouble,
        "Kubernetes refuses what has to be done, for the reason in the message. It is tried again, at most every 30 seconds.",
        &[SUPERVISOR_LOGS, DOCTOR],
    ),
    entry(
        why::SUPERVISOR_FAILING,
        Trouble,
        "Nobody looks after cluster and jobs until the supervisor works; what runs in Flink runs on. Mend its image, resources or service account (spec.supervisor), or the rights of that account.",
        &[
            (Any, "kubectl get pods -l clusterName={cluster},role=supervisor -n {namespace}"),
            SUPERVISOR_LOGS,
            DOCTOR,
            (Any, "kubectl rollout restart deployment/supervisor-{cluster} -n {namespace}"),
        ],
    ),
    entry(
        why::MISSING_JAR,
        Trouble,
        "Set spec.bootstrap.jarPath to where the JAR lies in spec.bootstrap.image. It is tried again at once.",
        &[EDIT_JOB],
    ),
    entry(
        why::WRONG_CLASS,
        Trouble,
        "Set spec.bootstrap.className to a class with a main method in the JAR, with its package. It is tried again at once.",
        &[EDIT_JOB],
    ),
    entry(
        why::JOB_REJECTED,
        Trouble,
        "Flink did not accept the program: the message has its last cause, often an exception in main or an argument. Mend spec.bootstrap or the program. It is tried again at once.",
        &[EDIT_JOB, LOGS],
    ),
    entry(why::NOT_PENDING, Passing, "A submission came too late; the next attempt is made by itself.", &[]),
    entry(
        why::TIMEOUT,
        Trouble,
        "The job did not run within spec.restart.restartTimeout. If main takes long, raise it; else see what the bootstrap and the JobManager say.",
        &[LOGS, EDIT_JOB],
    ),
    entry(
        why::BOOTSTRAP_LOST,
        Trouble,
        "The pod that submits the job ends without a result: often too little memory (spec.bootstrap.resources), or a service account without get on flinkjobs.",
        &[DOCTOR, EDIT_JOB],
    ),
    entry(
        why::NOT_STARTED,
        Trouble,
        "Mend what the message names; a changed definition is tried at once.",
        &[EDIT_JOB, START_JOB],
    ),
    entry(
        why::RESTORE_FAILED,
        Trouble,
        "Flink cannot start from that savepoint or checkpoint. See that it is there and readable from the JobManager; name another one in spec.savepoint.savepointPath; if the program has changed, let it take up its old state again. Or give the state up and begin anew.",
        &[EDIT_JOB, START_ANEW],
    ),
    entry(
        why::SAVEPOINT_FAILED,
        Trouble,
        "See that spec.savepoint.savepointTargetPath can be written by JobManager and TaskManagers, and that Flink has a file system for its scheme.",
        &[EDIT_JOB, LOGS],
    ),
    entry(
        why::SAVEPOINT_MISSING,
        Trouble,
        "Bring the savepoint back to its place; then it goes on by itself. Or give the state up and begin anew.",
        &[FORGET],
    ),
    entry(
        why::CHECKPOINTS_LOST,
        Trouble,
        "Set execution.checkpointing.dir in spec.flinkConfiguration to storage that survives a pod. START goes on from the last savepoint, which may be older than the state that is lost; forgetting it begins anew.",
        &[EDIT_CLUSTER, START_JOB, FORGET],
    ),
    entry(
        why::CHECKPOINTS_UNKNOWN,
        Trouble,
        "Set execution.checkpointing.dir in spec.flinkConfiguration to where the job kept its checkpoints; then they are found. Or give the state up and begin anew.",
        &[EDIT_CLUSTER, FORGET],
    ),
    entry(
        why::RESTORE_POINT_UNKNOWN,
        Trouble,
        "Mend the access of the JobManager to the storage of checkpoints and savepoints; or give the state up and begin anew.",
        &[LOGS, FORGET],
    ),
    entry(
        why::RECORD_UNREADABLE,
        Trouble,
        "status.record was changed by somebody else, or written by a newer version. Run the version that wrote it, or restore the status from a backup.",
        &[(Any, "flinkctl --version"), SUPERVISOR_LOGS],
    ),
];

fn find(reason: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.reason == reason)
}

/// What a reason means; one that is not known here is something that passes.
pub(super) fn nature(reason: &str) -> Nature {
    find(reason).map_or(Nature::Passing, |entry| entry.nature)
}

/// Advice for what stands in the way, and else for the resource itself.
pub(super) fn of(what: &What<'_>, verdict: Verdict, own: &str, causes: &[Cause]) -> Vec<Advice> {
    let well = match verdict {
        Verdict::Ready => true,
        Verdict::Deleting => nature(own) != Trouble,
        _ => false,
    };
    if well && causes.is_empty() {
        return Vec::new();
    }
    let troubles: Vec<&Cause> = causes.iter().filter(|cause| nature(&cause.reason) == Trouble).collect();
    // A job that waits for its cluster is helped by what helps the cluster.
    let own = (troubles.is_empty() || nature(own) == Trouble).then_some((own, None));
    let theirs = troubles.iter().map(|cause| (cause.reason.as_str(), Some(cause.about.as_str())));
    let mut given: Vec<Advice> = Vec::new();
    for (reason, about) in own.into_iter().chain(theirs) {
        let Some(entry) = find(reason).filter(|entry| !entry.text.is_empty()) else { continue };
        let advice =
            about.and_then(|about| part(what, about)).map_or_else(|| fill(entry, what), |part| fill(entry, &part));
        match given.iter_mut().find(|known| known.text == advice.text) {
            Some(known) => {
                let new = advice.commands.into_iter().filter(|command| !known.commands.contains(command));
                known.commands.extend(new.collect::<Vec<_>>());
            }
            None => given.push(advice),
        }
    }
    given
}

/// The part in which a cause lies, if it is not the resource itself.
fn part<'a>(what: &'a What<'a>, about: &str) -> Option<What<'a>> {
    let is = |kind: &str, meta: &ObjectMeta| about == format!("{kind} {}", meta.name.as_deref().unwrap_or_default());
    let of_cluster = |cluster: &'a FlinkCluster| {
        is("FlinkCluster", &cluster.metadata).then(|| What::Cluster { cluster, jobs: Vec::new() })
    };
    match what {
        What::Job { cluster, .. } => cluster.and_then(of_cluster),
        What::Deployment { cluster, jobs, .. } => cluster.and_then(of_cluster).or_else(|| {
            let job = jobs.iter().find(|job| is("FlinkJob", &job.metadata))?;
            Some(What::Job { job, cluster: *cluster })
        }),
        What::Cluster { .. } => None,
    }
}

fn fill(entry: &Entry, what: &What<'_>) -> Advice {
    let view = View::of(what);
    let (cluster, job) = place(what);
    let namespace = view.meta.namespace.as_deref().unwrap_or("default");
    let fits = |on: On| match on {
        Any => true,
        Cluster => job.is_none(),
        Job => job.is_some(),
    };
    let filled = |text: &str| {
        let text = text.replace("{cluster}", cluster).replace("{job}", job.unwrap_or("JOB"));
        let text = text.replace("{job-definition}", &definition(what, true)).replace("{namespace}", namespace);
        text.replace("{cluster-definition}", &definition(what, false))
    };
    let commands = entry.commands.iter().filter(|(on, _)| fits(*on)).map(|(_, text)| filled(text)).collect();
    Advice { text: entry.text.to_owned(), commands }
}

/// What is to be edited: a deployment puts back what is edited elsewhere.
fn definition(what: &What<'_>, of_job: bool) -> String {
    let owned = |meta: &ObjectMeta| {
        let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        controller.filter(|owner| owner.kind == "FlinkDeployment").map(|owner| format!("fd {}", owner.name))
    };
    let (cluster, _) = place(what);
    match what {
        What::Deployment { .. } => Some(format!("fd {cluster}")),
        What::Cluster { cluster, .. } => owned(&cluster.metadata),
        What::Job { job, cluster } if of_job || cluster.is_none() => owned(&job.metadata),
        What::Job { cluster, .. } => cluster.and_then(|cluster| owned(&cluster.metadata)),
    }
    .unwrap_or_else(|| if of_job { format!("fj {}", View::of(what).name()) } else { format!("fc {cluster}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_entry_and_no_entry_is_there_twice() {
        let known: Vec<&str> = TABLE.iter().map(|entry| entry.reason).collect();
        for reason in why::ALL {
            assert_eq!(known.iter().filter(|one| one == &reason).count(), 1, "{reason}");
        }
        assert_eq!(known.len(), why::ALL.len());
    }

    #[test]
    fn trouble_comes_with_advice_and_a_command() {
        for entry in TABLE.iter().filter(|entry| entry.nature == Trouble) {
            assert!(!entry.text.is_empty() && !entry.commands.is_empty(), "{}", entry.reason);
        }
    }
}
