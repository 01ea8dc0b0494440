//! The control API where no Flink is needed: both dialects, writes, commands, waiting, watching. The tests play the supervisor.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::stage::{Stage, cluster_spec, deployment, is_updated, job_spec, object, soon};

const PLAIN: &str = "application/vnd.flinkctl.v1+json";
const STAMP: &str = "operator.nextbreakpoint.com/action-timestamp";
const ACTION: &str = "operator.nextbreakpoint.com/requested-action";

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub media_type: String,
    pub body: Value,
}

/// The API of a stage.
pub struct Control {
    base: String,
    http: Client,
}

impl Control {
    /// The API, once it answers with what is there.
    pub async fn of(stage: &Stage) -> Result<Self> {
        let http = Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
        let control = Self { base: format!("http://127.0.0.1:{}/api/v1", stage.control), http };
        soon(async || Ok((control.plain(Method::GET, "/resources/jobs", "").await?.code == 200).then_some(()))).await?;
        Ok(control)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// As clients of the original ask.
    pub async fn envelope(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        answer(self.request(method, path).body(body.to_owned())).await
    }

    pub async fn plain(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        answer(self.request(method, path).header("accept", PLAIN).body(body.to_owned())).await
    }

    /// What stands in the envelope of a question.
    async fn output(&self, path: &str) -> Result<Value> {
        let answer = self.envelope(Method::GET, path, "").await?;
        ensure!((answer.code, &answer.body["status"]) == (200, &json!("OK")), "{path}: {answer:?}");
        let output = answer.body["output"].as_str().with_context(|| format!("{path}: {answer:?}"))?;
        Ok(serde_json::from_str(output)?)
    }
}

pub async fn answer(request: RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let code = response.status().as_u16();
    let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.to_owned();
    let text = response.text().await?;
    let body = serde_json::from_str(&text).with_context(|| format!("{code}: this is no JSON: {text}"))?;
    Ok(Answer { code, media_type, body })
}

fn done() -> Value {
    json!({ "status": "OK" })
}

/// SC-003, SC-573, C-02, C-16
#[tokio::test]
async fn a_deployment_is_created_read_changed_and_deleted_in_the_envelope() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    let spec = &deployment("demo", &[("a", "A"), ("b", "B")])["spec"];
    ensure!(control.envelope(Method::POST, "/deployments/demo", &spec.to_string()).await?.body == done());
    let there = stage.expect("fd", "demo", is_updated).await?;
    let labels = json!({ "owner": "flink-operator", "component": "flink", "clusterName": "demo" });
    ensure!(there["metadata"]["labels"] == labels, "{there}");
    ensure!(control.output("/deployments").await? == json!(["demo"]));
    ensure!(control.output("/clusters").await? == json!(["demo"]));
    soon(async || Ok((control.output("/cluster/demo/jobs").await? == json!(["a", "b"])).then_some(()))).await?;
    ensure!(control.output("/clusters/none/jobs").await? == json!([]), "as the original answers");
    let status = soon(async || {
        let status = control.output("/deployments/demo/status").await?;
        Ok((status["resourceStatus"] == "Updated").then_some(status))
    })
    .await?;
    ensure!(status["digest"]["jobs"][1]["name"] == "b", "{status}");

    let again = control.envelope(Method::POST, "/deployments/demo", &spec.to_string()).await?;
    ensure!((again.code, &again.body["status"]) == (200, &json!("ERROR")), "{again:?}");
    ensure!(again.body["error"].as_str().is_some_and(|error| error.contains("is there already")), "{again:?}");
    let nothing = control.envelope(Method::GET, "/deployments/other/status", "").await?;
    ensure!((nothing.code, &nothing.body["status"]) == (500, &json!("FAILURE")), "{nothing:?}");
    ensure!(nothing.body["error"] == "Deployment not found: other", "{nothing:?}");

    let mut spec = spec.clone();
    spec["jobs"].as_array_mut().context("jobs")?.pop();
    spec["cluster"]["jobManager"].as_object_mut().context("an object")?.remove("args");
    ensure!(control.envelope(Method::PUT, "/deployments/demo", &spec.to_string()).await?.body == done());
    stage.gone("fj", "demo-b").await?;
    stage.expect("fc", "demo", |cluster| cluster["spec"]["jobManager"]["args"].is_null()).await?;
    ensure!(control.envelope(Method::DELETE, "/deployments/demo", "null").await?.body == done());
    stage.gone("fd", "demo").await?;
    stage.end().await
}

/// SC-573, C-02, C-04
#[tokio::test]
async fn plain_answers_have_telling_codes_and_name_the_field() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    let created = control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    ensure!((created.code, created.media_type.as_str()) == (200, PLAIN), "{created:?}");
    ensure!(created.body["metadata"]["name"] == "demo" && created.body["metadata"]["managedFields"].is_null());
    let problem = async |method: Method, path: &str, body: &Value| -> Result<Answer> {
        let answer = control.plain(method, path, &body.to_string()).await?;
        ensure!(answer.media_type == "application/problem+json" && answer.body["status"] == answer.code, "{answer:?}");
        Ok(answer)
    };
    let field = |answer: &Answer| answer.body["causes"][0]["field"].as_str().unwrap_or_default().to_owned();

    let mut spec = cluster_spec();
    spec["jobManager"]["serviceMode"] = json!("Nowhere");
    let wrong = problem(Method::POST, "/clusters/wrong", &spec).await?;
    ensure!((wrong.code, field(&wrong).as_str()) == (422, "spec.jobManager.serviceMode"), "{wrong:?}");
    let mut spec = cluster_spec();
    spec["jobManager"]["serviceMood"] = json!("ClusterIP");
    let wrong = problem(Method::POST, "/clusters/wrong", &spec).await?;
    ensure!((wrong.code, field(&wrong).as_str()) == (422, "spec.jobManager.serviceMood"), "{wrong:?}");
    let mut spec = cluster_spec();
    spec.as_object_mut().context("an object")?.remove("runtime");
    let wrong = problem(Method::PUT, "/clusters/demo", &spec).await?;
    ensure!((wrong.code, field(&wrong).as_str()) == (422, "spec.runtime"), "{wrong:?}");

    ensure!(problem(Method::POST, "/clusters/demo", &cluster_spec()).await?.code == 409);
    ensure!(problem(Method::PUT, "/clusters/other", &cluster_spec()).await?.code == 404);
    ensure!(problem(Method::DELETE, "/clusters/other", &json!({})).await?.code == 404);
    ensure!(problem(Method::PUT, "/clusters/other/stop", &json!({})).await?.code == 404);
    ensure!(problem(Method::PUT, "/clusters/other/scale", &json!({ "taskManagers": 1 })).await?.code == 404);
    ensure!(problem(Method::GET, "/clusters/De%20mo", &Value::Null).await?.code == 400);
    ensure!(problem(Method::GET, "/nothing", &Value::Null).await?.code == 404);
    ensure!(problem(Method::POST, "/clusters", &Value::Null).await?.code == 405);
    ensure!(problem(Method::GET, "/clusters?colour=red", &Value::Null).await?.code == 400);
    let zero = problem(Method::PUT, "/clusters/demo/scale", &json!({})).await?;
    ensure!((zero.code, field(&zero).as_str()) == (400, "taskManagers"), "{zero:?}");
    let flink = problem(Method::GET, "/clusters/demo/taskmanagers", &Value::Null).await?;
    ensure!(flink.code == 504, "no Flink runs here: {flink:?}");
    let flink = control.envelope(Method::GET, "/clusters/demo/taskmanagers", "").await?;
    ensure!((flink.code, &flink.body["status"]) == (200, &json!("ERROR")), "{flink:?}");
    let options = control.request(Method::OPTIONS, "/clusters/demo").send().await?;
    ensure!(options.status() == 204 && options.headers()["allow"] == "POST, PUT, DELETE, GET", "{options:?}");
    stage.end().await
}

/// R-01, F-11
#[tokio::test]
async fn an_update_replaces_but_for_the_scale_and_minds_versions() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    let created = control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    ensure!(control.envelope(Method::PUT, "/clusters/demo/scale", r#"{"taskManagers": 5}"#).await?.body == done());
    stage.expect("fc", "demo", |cluster| cluster["spec"]["taskManagers"] == 5).await?;
    let mut spec = cluster_spec();
    spec.as_object_mut().context("an object")?.remove("taskManagers");
    spec["jobManager"].as_object_mut().context("an object")?.remove("args");
    let old = created.body["metadata"]["resourceVersion"].as_str().context("a version")?;
    let path = format!("/clusters/demo?resourceVersion={old}");
    let stale = control.plain(Method::PUT, &path, &spec.to_string()).await?;
    ensure!(stale.code == 409, "{stale:?}");
    let mut whole = object("FlinkCluster", "demo", &spec);
    whole["metadata"]["resourceVersion"] = json!(old);
    ensure!(control.plain(Method::PUT, "/clusters/demo", &whole.to_string()).await?.code == 409);
    let stale = control.plain(Method::DELETE, &path, "").await?;
    ensure!(stale.code == 409, "{stale:?}");
    let updated = control.plain(Method::PUT, "/clusters/demo", &spec.to_string()).await?;
    ensure!(updated.body["spec"]["taskManagers"] == 5, "the scale stays: {updated:?}");
    ensure!(updated.body["spec"]["jobManager"]["args"].is_null(), "a field that is left out is removed: {updated:?}");
    let read = control.plain(Method::GET, "/clusters/demo", "").await?;
    ensure!(read.body["spec"] == updated.body["spec"], "what was written is read: {read:?}");
    stage.end().await
}

/// SC-504, SC-507, SC-508, SC-510, SC-511, SC-513, SC-515, R-02, C-07
#[tokio::test]
async fn commands_touch_their_annotations_alone_and_equal_ones_are_two() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    let job = control.plain(Method::POST, "/clusters/demo/jobs/one", &job_spec("A").to_string()).await?;
    let labels = json!({ "owner": "flink-operator", "component": "flink", "clusterName": "demo", "jobName": "one" });
    ensure!(job.body["metadata"]["labels"] == labels, "{job:?}");
    let own =
        json!({ "metadata": { "annotations": { "mine": "kept", "operator.nextbreakpoint.com/should-restart": "x" } } });
    stage.patch("fj", "demo-one", &own).await?;
    let mut stamps = Vec::new();
    for (method, path, body, action) in [
        (Method::PUT, "stop", r#"{"withoutSavepoint":true}"#, "STOP"),
        (Method::PUT, "stop", r#"{"withoutSavepoint":"false"}"#, "STOP"),
        (Method::PUT, "start", "{}", "START"),
        (Method::PUT, "savepoint", "null", "TRIGGER_SAVEPOINT"),
        (Method::PUT, "savepoint/trigger", "", "TRIGGER_SAVEPOINT"),
        (Method::DELETE, "savepoint", "", "FORGET_SAVEPOINT"),
        (Method::PUT, "savepoint/forget", "", "FORGET_SAVEPOINT"),
    ] {
        let answer = control.envelope(method, &format!("/cluster/demo/jobs/one/{path}"), body).await?;
        ensure!(answer.body == done(), "{path}: {answer:?}");
        let annotations = stage.get("fj", "demo-one").await?.context("the job")?["metadata"]["annotations"].clone();
        ensure!(annotations[ACTION] == action && annotations["mine"] == "kept", "{path}: {annotations}");
        let without = body.contains("true").to_string();
        ensure!(annotations["operator.nextbreakpoint.com/without-savepoint"] == *without, "{path}: {annotations}");
        stamps.push(annotations[STAMP].as_str().context("a timestamp")?.parse::<i64>()?);
    }
    ensure!(stamps.windows(2).all(|two| two[0] < two[1]), "{stamps:?}");
    let empty = control.envelope(Method::PUT, "/clusters/demo/jobs/one/stop", "").await?;
    ensure!((empty.code, &empty.body["status"]) == (200, &json!("FAILURE")), "as the original answers: {empty:?}");
    let scaled = control.envelope(Method::PUT, "/clusters/demo/jobs/one/scale", r#"{"parallelism":"3"}"#).await?;
    ensure!(scaled.body == done(), "{scaled:?}");
    stage.expect("fj", "demo-one", |job| job["spec"]["jobParallelism"] == 3).await?;

    control.plain(Method::POST, "/clusters/demo-2", &cluster_spec().to_string()).await?;
    let foreign = control.plain(Method::POST, "/clusters/demo/jobs/2-x", &job_spec("A").to_string()).await?;
    ensure!(foreign.code == 409, "it would be a job of demo-2: {foreign:?}");
    stage.end().await
}

/// SC-484 to SC-515, SC-535, SC-536, SC-538, SC-539, SC-541, SC-542, SC-559, SC-560, SC-562, SC-563, SC-565, SC-566, C-02
#[tokio::test]
async fn clusters_and_jobs_are_worked_with_in_the_envelope() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    let refused = async |method: Method, path: &str, body: &str| -> Result<()> {
        let answer = control.envelope(method, path, body).await?;
        let status = &answer.body["status"];
        ensure!(answer.code == 200 && (status == "ERROR" || status == "FAILURE"), "{path}: {answer:?}");
        Ok(())
    };
    let (cluster, job) = ("/clusters/demo", "/clusters/demo/jobs/one");
    // Nothing is there yet.
    for path in [cluster, job] {
        refused(Method::DELETE, path, "null").await?;
        refused(Method::PUT, &format!("{path}/start"), "{}").await?;
        refused(Method::PUT, &format!("{path}/stop"), "{}").await?;
    }
    refused(Method::PUT, "/clusters/demo/scale", r#"{"taskManagers":4}"#).await?;
    refused(Method::PUT, "/clusters/demo/jobs/one/scale", r#"{"parallelism":4}"#).await?;
    refused(Method::PUT, "/clusters/demo/jobs/one/savepoint", "null").await?;
    refused(Method::DELETE, "/clusters/demo/jobs/one/savepoint", "").await?;
    refused(Method::POST, cluster, "{}").await?;
    refused(Method::POST, job, "{}").await?;

    ensure!(control.envelope(Method::POST, cluster, &cluster_spec().to_string()).await?.body == done());
    ensure!(control.envelope(Method::POST, job, &job_spec("A").to_string()).await?.body == done());
    for (kind, name, path) in [("fc", "demo", cluster), ("fj", "demo-one", job)] {
        stage.expect(kind, name, |_| true).await?;
        stage.patch_status(kind, name, &json!({ "supervisorStatus": "Started" })).await?;
        soon(async || {
            let status = control.output(&format!("{path}/status")).await?;
            Ok((status["supervisorStatus"] == "Started").then_some(()))
        })
        .await?;
        let mut last = 0;
        for (verb, action) in [("start", "START"), ("stop", "STOP")] {
            for without in [true, false] {
                let body = json!({ "withoutSavepoint": without }).to_string();
                ensure!(control.envelope(Method::PUT, &format!("{path}/{verb}"), &body).await?.body == done());
                let object = stage.get(kind, name).await?.context("it is there")?;
                let annotations = &object["metadata"]["annotations"];
                ensure!(annotations[ACTION] == action, "{annotations}");
                ensure!(annotations["operator.nextbreakpoint.com/without-savepoint"] == *without.to_string());
                ensure!(annotations["operator.nextbreakpoint.com/delete-resources"] != "true", "{annotations}");
                let stamp = annotations[STAMP].as_str().context("a timestamp")?.parse::<i64>()?;
                ensure!(stamp > last, "{annotations}");
                last = stamp;
            }
        }
        let (field, member) =
            if kind == "fc" { ("taskManagers", "taskManagers") } else { ("jobParallelism", "parallelism") };
        for number in [4, 0] {
            let body = json!({ member: number }).to_string();
            ensure!(control.envelope(Method::PUT, &format!("{path}/scale"), &body).await?.body == done());
            let object = stage.get(kind, name).await?.context("it is there")?;
            ensure!(object["spec"][field] == number, "{}", object["spec"]);
            ensure!(object["metadata"]["annotations"][STAMP] == *last.to_string(), "a scale is no action");
        }
    }
    // No Flink runs here.
    for path in [
        "jobs/one/details",
        "jobs/one/metrics",
        "jobmanager/metrics",
        "taskmanagers",
        "taskmanagers/t/details",
        "taskmanagers/t/metrics",
    ] {
        let answer = control.envelope(Method::GET, &format!("{cluster}/{path}"), "").await?;
        ensure!(answer.body["output"].is_null() && answer.body["status"] != "OK", "{path}: {answer:?}");
    }
    ensure!(control.envelope(Method::DELETE, job, "null").await?.body == done());
    stage.gone("fj", "demo-one").await?;
    ensure!(control.envelope(Method::DELETE, cluster, "null").await?.body == done());
    stage.gone("fc", "demo").await?;
    stage.end().await
}

/// C-06
#[tokio::test]
async fn a_request_waits_until_the_supervisor_reports() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    control.plain(Method::POST, "/clusters/demo/jobs/one", &job_spec("A").to_string()).await?;
    let act = |path: &'static str, wait: &'static str| {
        answer(
            control
                .request(Method::POST, &format!("/clusters/demo/jobs/one/{path}?wait={wait}&envelope=false"))
                .body("{}"),
        )
    };
    let stamp = |job: &Value| job["metadata"]["annotations"][STAMP].as_str().unwrap_or_default().to_owned();
    let last = async || anyhow::Ok(stamp(&stage.get("fj", "demo-one").await?.context("the job")?));
    // What the supervisor writes about the command that came after the one with the stamp `before`.
    let report = async |before: &str, outcome: &str, message: &str| -> Result<()> {
        let asked = |job: &Value| job["metadata"]["annotations"][ACTION] != "NONE" && stamp(job) != before;
        let job = stage.expect("fj", "demo-one", asked).await?;
        let annotations = &job["metadata"]["annotations"];
        let last =
            json!({ "id": annotations[STAMP], "action": annotations[ACTION], "outcome": outcome, "message": message });
        let status = json!({ "lastAction": last, "savepointPath": "file:/s/1" });
        stage.patch_status("fj", "demo-one", &status).await?;
        if outcome != "Accepted" {
            let none = json!({ "metadata": { "annotations": { ACTION: "NONE", STAMP: "9999999999999" } } });
            stage.patch("fj", "demo-one", &none).await?;
        }
        Ok(())
    };

    let late = act("stop", "200ms").await?;
    ensure!(late.code == 504, "{late:?}");
    let detail = late.body["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("its supervisor has not taken it up yet"), "{late:?}");

    let before = last().await?;
    let (stopped, told) = tokio::join!(act("stop", "20s"), async {
        report(&before, "Accepted", "under way").await?;
        report(&before, "Done", "stopped; savepoint file:/s/1").await
    });
    told?;
    let stopped = stopped?;
    ensure!(stopped.code == 200, "{stopped:?}");
    ensure!(stopped.body["outcome"] == "Done" && stopped.body["savepointPath"] == "file:/s/1", "{stopped:?}");

    let before = last().await?;
    let (refused, told) = tokio::join!(act("stop", "20s"), report(&before, "Refused", "the job is already stopped"));
    told?;
    let refused = refused?;
    ensure!(refused.code == 409 && refused.body["type"] == "about:blank#action-refused", "{refused:?}");
    ensure!(refused.body["detail"] == "STOP was refused: the job is already stopped", "{refused:?}");

    // Somebody else's command takes the place of one that nobody has taken up.
    let (replaced, told) = tokio::join!(act("start", "20s"), async {
        stage.expect("fj", "demo-one", |job| job["metadata"]["annotations"][ACTION] == "START").await?;
        let other = json!({ "metadata": { "annotations": { ACTION: "STOP", STAMP: "9999999999999" } } });
        stage.patch("fj", "demo-one", &other).await
    });
    told?;
    let replaced = replaced?;
    ensure!(replaced.code == 409 && replaced.body["type"] == "about:blank#conflict", "{replaced:?}");

    let (gone, told) = tokio::join!(act("savepoint", "20s"), stage.delete("fj", "demo-one"));
    told?;
    ensure!(gone?.code == 404, "who is deleted is not waited for");
    stage.end().await
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_what_changes() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    control.plain(Method::POST, "/clusters/other", &cluster_spec().to_string()).await?;
    let mut stream = control.request(Method::GET, "/watch?kind=FlinkCluster&name=demo").send().await?;
    ensure!(stream.headers()["content-type"] == "text/event-stream", "{stream:?}");
    let mut text = String::new();
    let mut next = async || -> Result<Value> {
        loop {
            if let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.strip_prefix("data: ").map(serde_json::from_str).transpose()?;
                text = rest.to_owned();
                if let Some(data) = data {
                    return Ok(data);
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await??;
            text.push_str(std::str::from_utf8(&chunk.context("the stream goes on")?)?);
        }
    };
    let first = next().await?;
    ensure!(first["type"] == "ADDED" && first["object"]["metadata"]["name"] == "demo", "{first}");
    loop {
        // The operator lays its finalizer on the cluster meanwhile.
        let event = next().await?;
        ensure!(event["type"] == "SYNCED" || event["type"] == "MODIFIED", "{event}");
        if event["object"]["metadata"]["finalizers"].is_array() || first["object"]["metadata"]["finalizers"].is_array()
        {
            break;
        }
    }
    control.envelope(Method::PUT, "/clusters/demo/scale", r#"{"taskManagers": 7}"#).await?;
    while next().await?["object"]["spec"]["taskManagers"] != 7 {}
    control.envelope(Method::DELETE, "/clusters/demo", "").await?;
    loop {
        let event = next().await?;
        if event["type"] == "DELETED" {
            ensure!(event["object"]["metadata"]["name"] == "demo", "{event}");
            break;
        }
    }
    stage.end().await
}

#[tokio::test]
async fn events_and_explanations_speak_of_the_resource() -> Result<()> {
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    let spec = &deployment("demo", &[("a", "A")])["spec"];
    control.plain(Method::POST, "/deployments/demo", &spec.to_string()).await?;
    let told = soon(async || {
        let events = control.plain(Method::GET, "/clusters/demo/events", "").await?.body;
        let made =
            events.as_array().is_some_and(|events| events.iter().any(|event| event["reason"] == "SupervisorCreated"));
        Ok(made.then_some(events))
    })
    .await?;
    let about = |event: &Value| event["about"].as_str().is_some_and(|about| about.contains("demo"));
    ensure!(told.as_array().context("a list")?.iter().all(about), "{told}");
    for path in ["/deployments/demo", "/clusters/demo", "/clusters/demo/jobs/a"] {
        let explained = soon(async || {
            let explained = control.plain(Method::GET, &format!("{path}/explain"), "").await?;
            Ok((explained.code == 200).then_some(explained.body))
        })
        .await?;
        ensure!(explained["verdict"].is_string() && explained["advice"].is_array(), "{explained}");
    }
    ensure!(control.plain(Method::GET, "/clusters/other/explain", "").await?.code == 404);
    ensure!(control.plain(Method::GET, "/clusters/other/events", "").await?.code == 404);
    let document = control.plain(Method::GET, "/openapi.json", "").await?;
    ensure!(document.body["openapi"] == "3.1.0" && document.body["paths"]["/api/v1/watch"].is_object());
    let metrics = reqwest::get(format!("http://127.0.0.1:{}/metrics", stage.monitoring)).await?.text().await?;
    let counted = r#"flink_operator_api_requests_total{operation="create",resource="flinkdeployments",code="200"} 1"#;
    ensure!(metrics.contains(counted), "{metrics}");
    stage.end().await
}
