use super::*;

const GOOD: &str = "\
apiVersion: nextbreakpoint.com/v1
kind: FlinkCluster
metadata:
  name: demo
spec:
  runtime:
    image: flink:2.1
  jobManager:
    serviceMode: ClusterIP
  taskManager:
    taskSlots: 2
  supervisor:
    image: flinkctl:1
  flinkConfiguration:
    execution.checkpointing.dir: s3://bucket/checkpoints
";

fn told(text: &str) -> String {
    let mut report = Report::default();
    let mut judge = Judge::new();
    for document in documents::documents("demo.yaml", text) {
        one(&mut judge, &document, &mut report);
    }
    render(&report)
}

#[test]
fn a_good_manifest_passes() {
    assert_eq!(told(GOOD), "1 document judged: 0 errors, 0 warnings\n");
}

#[test]
fn the_examples_of_this_repository_pass() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let report = validate(&[examples]).unwrap();
    assert!(report.judged > 0 && report.is_valid(), "{}", render(&report));
}

#[test]
fn each_fault_has_its_place() {
    let unknown = GOOD.replace("serviceMode", "serviceMod").replace("taskSlots: 2", "taskSlots: 0");
    let volume =
        GOOD.replace("    taskSlots: 2", "    taskSlots: 2\n    volumeMounts: [{ name: data, mountPath: /data }]");
    let quantity =
        GOOD.replace("    image: flinkctl:1", "    image: flinkctl:1\n    resources: { limits: { cpu: lots } }");
    let option = GOOD.replace("    execution.", "    \"bad key\": 1\n    execution.");
    let no_yaml = format!("{GOOD}---\nspec: [\n");
    let job = "\
apiVersion: nextbreakpoint.com/v1
kind: FlinkJob
metadata: { name: nodash }
spec:
  jobParallelism: 40
  bootstrap: { image: jobs, className: A, jarPath: /a.jar }
  savepoint: { savepointInterval: 0, savepointTargetPath: '' }
  restart: {}
";
    let spec_alone = "bootstrap: { image: '', className: A, jarPath: /a.jar }\nsavepoint: { savepointInterval: 0, savepointTargetPath: s3://b }\nrestart: {}\n";
    let other = "apiVersion: example.org/v1\nkind: Thing\n";
    let texts = [&unknown, &volume, &quantity, &option, &no_yaml, job, spec_alone, other];
    insta::assert_snapshot!(texts.map(told).join("\n"));
}
