//! Listing stored state where the credentials are: on the JobManager.
//!
//! A small program of ours (`lister/`) is uploaded and run. It starts no job: its `main` lists with Flink's own file
//! systems and throws an exception whose text carries the result. That works with every file system and every
//! credential that the cluster has, and leaves nothing behind.

use bytes::Bytes;
use flink::{Listing, RunRequest, listing};

use crate::{Client, Error, JarSource};

static LISTER: &[u8] = include_bytes!("../lister/lister.jar");

impl Client {
    /// The snapshots at and below each of these paths, in the same order. A path may be a snapshot itself, the
    /// checkpoint directory of a job (`<dir>/<job id>`), or a directory of savepoints. The whole fails only if the
    /// lister could not run; a path that cannot be listed has its own outcome.
    pub async fn list_checkpoints(&self, paths: &[String]) -> Result<Vec<Listing>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let source = JarSource::Bytes { name: "flinkctl-lister.jar".to_owned(), bytes: Bytes::from_static(LISTER) };
        let jar_id = self.upload_jar(source, |_| ()).await?;
        let listed = self.run_lister(&jar_id, paths).await;
        if let Err(error) = self.delete_jar(&jar_id).await {
            tracing::debug!(%error, jar_id, "the lister stays on the JobManager");
        }
        listed
    }

    async fn run_lister(&self, jar_id: &str, paths: &[String]) -> Result<Vec<Listing>, Error> {
        let request = RunRequest { program_args_list: paths.to_vec(), ..RunRequest::default() };
        let answer = self.run(jar_id, &request).await?;
        let text = answer.error_body().map(|body| body.errors.concat()).unwrap_or_default();
        let call = answer.call.clone();
        match listing::parse(&text) {
            Some(listings) if listings.iter().map(|listing| &listing.path).eq(paths) => Ok(listings),
            Some(_) => Err(Error::Decode { call, cause: "the listing is not about the paths asked for".to_owned() }),
            None => {
                answer.success()?;
                Err(Error::Decode { call, cause: "the lister ended without a listing".to_owned() })
            }
        }
    }
}
