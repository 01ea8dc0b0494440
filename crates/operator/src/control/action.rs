//! Actions: a command is three annotations and nothing else, a scale is the scale subresource; the supervisor does the rest.

use api::annotations::{ACTION_TIMESTAMP, REQUESTED_ACTION, WITHOUT_SAVEPOINT};
use control_api::Problem;
use control_api::answer::{ActionResult, Outcome};
use control_api::request;
use control_api::route::{Action, Method, Target};
use kit::client::{DEADLINE, call};
use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::dialect::Reply;
use super::kubernetes::{Attempt, refused};
use super::served::Supervised;
use super::wait::Awaited;
use super::{Control, Request, text};

impl Control {
    pub(super) async fn act<K: Supervised>(&self, action: Action, request: &Request<'_>) -> Result<Reply, Problem> {
        let awaited = match action {
            Action::Scale => self.scale::<K>(request).await?,
            Action::Start | Action::Stop => {
                let without_savepoint = request::action_options(request.body)?.without_savepoint;
                self.command::<K>(action, Some(without_savepoint), request).await?
            }
            Action::TriggerSavepoint | Action::ForgetSavepoint => self.command::<K>(action, None, request).await?,
        };
        let result = match request.query.wait {
            Some(patience) => self.done::<K>(request.names, action, &awaited, patience).await?,
            None => accepted(action, &awaited),
        };
        let document = text(&result)?;
        // PUT is the original's, whose envelope says no more than OK.
        Ok(if request.method == Method::Post { Reply::Answer(document.into()) } else { Reply::Done(document.into()) })
    }

    async fn command<K: Supervised>(
        &self,
        action: Action,
        without_savepoint: Option<bool>,
        request: &Request<'_>,
    ) -> Result<Awaited, Problem> {
        let found = self.find::<K>(request.names)?;
        let name = request.names.resource(K::TARGET).unwrap_or_default();
        let id = self.0.stamps.next();
        let mut annotations = Map::new();
        annotations.insert(REQUESTED_ACTION.to_owned(), action.as_str().into());
        annotations.insert(ACTION_TIMESTAMP.to_owned(), id.as_str().into());
        if let Some(without_savepoint) = without_savepoint {
            annotations.insert(WITHOUT_SAVEPOINT.to_owned(), without_savepoint.to_string().into());
        }
        // With the uid it is the resource that was looked at, and not another one of that name.
        let patch = json!({ "metadata": { "uid": found.meta().uid, "annotations": annotations } });
        let api = self.api::<K>();
        let answer = call(DEADLINE, api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch))).await;
        let written = answer.map_err(|error| refused::<K>(&error, Attempt::Change, &name))?;
        Ok(Awaited::Command { id, version: written.metadata.resource_version.unwrap_or_default() })
    }

    async fn scale<K: Supervised>(&self, request: &Request<'_>) -> Result<Awaited, Problem> {
        let member = if K::TARGET == Target::Cluster { "taskManagers" } else { "parallelism" };
        let replicas = request::replicas(request.body, member)?;
        let name = request.names.resource(K::TARGET).unwrap_or_default();
        let patch: Value = json!({ "spec": { "replicas": replicas } });
        let api = self.api::<K>();
        let answer = call(DEADLINE, api.patch_scale(&name, &PatchParams::default(), &Patch::Merge(patch))).await;
        let scale = answer.map_err(|error| refused::<K>(&error, Attempt::Change, &name))?;
        Ok(Awaited::Scale { replicas, version: scale.metadata.resource_version.unwrap_or_default() })
    }

    fn api<K: Supervised>(&self) -> Api<K> {
        Api::namespaced(self.0.client.clone(), &self.0.namespace)
    }
}

fn accepted(action: Action, awaited: &Awaited) -> ActionResult {
    let mut result = ActionResult::new(action.as_str(), Outcome::Accepted);
    if let Awaited::Command { id, .. } = awaited {
        result.id = Some(id.clone());
    }
    result
}
