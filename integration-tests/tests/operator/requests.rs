//! Ten thousand requests that no client would send: none of them may bring the API down, or be answered by anything but JSON.
//!
//! `FLINKCTL_SEED` repeats a run.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use control_api::ROUTES;
use fastrand::Rng;
use futures::stream::{self, TryStreamExt};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::control::Control;
use crate::stage::{Stage, cluster_spec, deployment, job_spec};

const COUNT: usize = 10_000;
const WIDTH: usize = 8;
const NAMES: [&str; 14] =
    ["demo", "demo", "one", "other", "a", "", "UPPER", "a..b", "..", "%2e%2e%2fetc", "a%00b", "%ff%fe", "x-", "ä%20ö"];

struct Made {
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

/// SC-573, D-02, S-09, S-10
#[tokio::test]
async fn no_request_brings_the_api_down() -> Result<()> {
    let seed =
        std::env::var("FLINKCTL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("FLINKCTL_SEED={seed}");
    let stage = Stage::new().await?;
    let control = Control::of(&stage).await?;
    control.plain(Method::POST, "/clusters/demo", &cluster_spec().to_string()).await?;
    control.plain(Method::POST, "/clusters/demo/jobs/one", &job_spec("A").to_string()).await?;
    let mut random = Rng::with_seed(seed);
    let made: Vec<Made> = (0..COUNT).map(|_| make(&mut random)).collect();
    let http = Client::builder().timeout(Duration::from_mins(1)).no_proxy().build()?;
    let base = format!("http://127.0.0.1:{}", stage.control);
    stream::iter(made.iter().map(Ok::<_, anyhow::Error>))
        .try_for_each_concurrent(WIDTH, async |made| {
            send(&http, &base, made).await.with_context(|| {
                let body: String = String::from_utf8_lossy(&made.body).chars().take(400).collect();
                format!("{} {} {:?} {body}", made.method, made.path, made.headers)
            })
        })
        .await
        .with_context(|| format!("FLINKCTL_SEED={seed}"))?;
    let alive = control.plain(Method::GET, "/clusters", "").await?;
    ensure!(alive.code == 200, "{alive:?}");
    stage.end().await
}

async fn send(http: &Client, base: &str, made: &Made) -> Result<()> {
    let mut request = http.request(made.method.clone(), format!("{base}{}", made.path)).body(made.body.clone());
    for (name, value) in &made.headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send().await?;
    if made.method == Method::HEAD {
        return Ok(());
    }
    let code = response.status().as_u16();
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let media_type = header("content-type");
    if media_type == "text/event-stream" {
        ensure!(code == 200 && response.chunk().await?.is_some(), "{code}: a watch tells something");
        return Ok(());
    }
    let text = response.text().await?;
    if code == 204 {
        return Ok(());
    }
    // The server itself refuses what is no HTTP before anybody could answer in JSON.
    if matches!(code, 400 | 414 | 431) && text.is_empty() {
        return Ok(());
    }
    let body: Value = serde_json::from_str(&text).with_context(|| format!("{code}: this is no JSON: {text}"))?;
    let allowed = match media_type.as_str() {
        // A question that cannot be put is 500 in the envelope, as it always was.
        "application/json" => code < 500 || (code == 500 && body["status"] == "FAILURE"),
        // No Flink runs here.
        "application/problem+json" => code < 500 || code == 504,
        _ => code == 200,
    };
    ensure!(allowed, "{code} {media_type}: {body}");
    Ok(())
}

fn make(random: &mut Rng) -> Made {
    let route = ROUTES[random.usize(..ROUTES.len())];
    let methods =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS];
    let method = if random.u8(..) < 200 {
        Method::from_bytes(route.method.as_str().as_bytes()).expect("a method")
    } else {
        methods[random.usize(..methods.len())].clone()
    };
    let mut headers = Vec::new();
    if random.bool() {
        headers.push(("accept", "application/vnd.flinkctl.v1+json"));
    }
    if random.u8(..) < 30 {
        headers.push(("content-type", "text/plain; charset=utf-16"));
    }
    Made { method, path: path(random, route.path), headers, body: body(random) }
}

fn path(random: &mut Rng, template: &str) -> String {
    let mut path = String::from("/api/v1");
    for part in template.split('/').skip(1) {
        path.push('/');
        if part.starts_with('{') || random.u8(..) < 3 {
            path.push_str(NAMES[random.usize(..NAMES.len())]);
        } else {
            path.push_str(part);
        }
    }
    if random.u8(..) < 10 {
        path.push('/');
    }
    if random.u8(..) < 90 {
        let queries = [
            "envelope=false",
            "envelope=",
            "wait=1ms",
            "wait=-1",
            "wait=99999999999999999999",
            "resourceVersion=1",
            "resourceVersion=x",
            "kind=FlinkJob",
            "kind=%ff",
            "name=demo",
            "a=b&a=b",
            "&&&",
            "=",
            "envelope=true",
        ];
        path.push('?');
        path.push_str(queries[random.usize(..queries.len())]);
    }
    path
}

fn body(random: &mut Rng) -> Vec<u8> {
    let valid = [
        cluster_spec(),
        job_spec("A"),
        deployment("demo", &[("a", "A")])["spec"].clone(),
        json!({ "withoutSavepoint": true }),
        json!({ "taskManagers": 2 }),
        json!({ "parallelism": 2 }),
        json!({}),
    ];
    let mut value = valid[random.usize(..valid.len())].clone();
    match random.u8(..10) {
        0 => return Vec::new(),
        1 => return (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
        2 => return "[".repeat(random.usize(1..100_000)).into_bytes(),
        3 => {
            let text = value.to_string();
            return text.as_bytes()[..random.usize(..text.len())].to_vec();
        }
        4..=7 => mutate(random, &mut value, 0),
        _ => {}
    }
    value.to_string().into_bytes()
}

/// Replaces something somewhere in a value.
fn mutate(random: &mut Rng, value: &mut Value, depth: usize) {
    let inner = match value {
        Value::Object(members) if !members.is_empty() && random.u8(..) < 220 && depth < 8 => {
            let index = random.usize(..members.len());
            members.values_mut().nth(index)
        }
        Value::Array(items) if !items.is_empty() && random.u8(..) < 220 => {
            let index = random.usize(..items.len());
            items.get_mut(index)
        }
        _ => None,
    };
    if let Some(inner) = inner {
        return mutate(random, inner, depth + 1);
    }
    let odd = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("a\"b\\c\u{0}\u{1F980}"),
        json!("x".repeat(5_000)),
        json!([]),
        json!({}),
        json!({ "kind": "FlinkCluster" }),
        json!([[[[null]]]]),
    ];
    *value = odd[random.usize(..odd.len())].clone();
}
