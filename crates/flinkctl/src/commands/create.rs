//! Creating and replacing resources.

use std::path::Path;
use std::time::Duration;

use control_api::route::Operation;

use super::action::{WaitArgs, said};
use super::ahead::DryRunArgs;
use crate::print::{Format, Habit};
use crate::session::{ClientArgs, Resource, Session};
use crate::wait::{self, Until};
use crate::{Result, spec};

/// Creates a resource from a file.
pub async fn create(
    resource: &Resource,
    file: &Path,
    ahead: DryRunArgs,
    wait: &WaitArgs,
    client: &ClientArgs,
) -> Result {
    if ahead.dry_run {
        return super::ahead::spec(resource, file, true, client).await;
    }
    let spec = spec::read(file, resource.target)?;
    let session = Session::open(client, Habit::Original).await?;
    let request = resource.request(Operation::Create).body(spec.body);
    if session.format == Format::Envelope {
        let status = session.relay(&request, Duration::ZERO).await?;
        return match wait.wait {
            Some(time) => wait::until(&session, resource, Until::Ready, time).await,
            None => Ok(status),
        };
    }
    let object = session.ask(&request).await?;
    if let Some(time) = wait.wait {
        wait::until(&session, resource, Until::Ready, time).await?;
        return said(&session, resource, &object, "runs");
    }
    said(&session, resource, &object, "created")
}

/// Replaces the spec of a resource by that of a file.
pub async fn update(resource: &Resource, file: &Path, ahead: DryRunArgs, client: &ClientArgs) -> Result {
    if ahead.dry_run {
        return super::ahead::spec(resource, file, false, client).await;
    }
    let spec = spec::read(file, resource.target)?;
    let session = Session::open(client, Habit::Original).await?;
    let mut request = resource.request(Operation::Update).body(spec.body);
    if let Some(version) = spec.version {
        request = request.with("resourceVersion", version);
    }
    if session.format == Format::Envelope {
        return session.relay(&request, Duration::ZERO).await;
    }
    let object = session.ask(&request).await?;
    said(&session, resource, &object, "updated")
}
