//! The demo: the whole story of a joint invitation, played against freshly started services.
//!
//! It has a data directory of its own, which goes when it ends, and free ports, so that it disturbs nobody. Everything is
//! done over gRPC, as any program would do it.

mod clients;
mod story;
mod teller;

use std::future::Future;
use std::path::PathBuf;
use std::{env, fs, process};

use base::Secret;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::serve::{self, Started};

/// The catalog that ships with the project, in the vendor's format.
const CATALOG: &[u8] = include_bytes!("../../licensing/catalog/small.csv");

#[derive(Args)]
pub(crate) struct Arguments {
    /// Another catalog than the small one: the vendor's published CSV of product names and service plan identifiers
    #[arg(long)]
    catalog: Option<PathBuf>,
}

impl Arguments {
    /// Starts the services, plays the story and takes everything away again.
    pub(crate) async fn run(self) -> Result<String, Failure> {
        let catalog = match &self.catalog {
            None => CATALOG.to_vec(),
            Some(path) => {
                fs::read(path).map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?
            }
        };
        let folder = env::temp_dir().join(format!("tandem-demo-{}", process::id()));
        let played = in_folder(&folder.to_string_lossy(), catalog).await;
        // What is left of it is the temporary folder's business.
        let _ = fs::remove_dir_all(&folder);
        played
    }
}

async fn in_folder(folder: &str, catalog: Vec<u8>) -> Result<String, Failure> {
    let stop = CancellationToken::new();
    let (started, serving) = serve::start_alone(DataDirectory::new(folder), stop.clone()).await?;
    let Started { addresses, way_in, .. } = started;
    let way_in = way_in.ok_or_else(|| Failure::new("the demo's own services have an operator already"))?;
    let operator = (way_in.sign_in_name, Secret::new(way_in.secret.into_inner()));
    let playing = async {
        let played = story::play(addresses.each_ref().map(|addresses| addresses.public), operator, catalog).await;
        stop.cancel();
        played
    };
    both(playing, serving).await
}

/// The story's end, once the services have ended too.
async fn both(
    playing: impl Future<Output = Result<String, Failure>>,
    serving: impl Future<Output = Result<(), base::Fault>>,
) -> Result<String, Failure> {
    let (played, served) = tokio::join!(playing, serving);
    let text = played?;
    served?;
    Ok(text)
}
