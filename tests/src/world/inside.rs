//! One service of a world, for looking inside.

use std::sync::Arc;

use db::{Db, Dialect, Settings};
use service::keys::ServiceKeys;
use service::points::Points;
use service::{Host, Service};

use super::answers::waiting;

/// One service of a world.
///
/// Its own sessions are not for tests: one that is opened in a test ends with the runtime of that test, and the service
/// would find it broken in its pool.
#[derive(Debug)]
pub struct Inside<S: Service> {
    host: Arc<Host<S>>,
    settings: Settings,
}

impl<S: Service> Inside<S> {
    pub(super) fn new(host: Arc<Host<S>>, settings: Settings) -> Self {
        Self { host, settings }
    }

    /// Its database, through sessions of the caller's own. A SQLite file has one process and one writer, which is shared
    /// and belongs to no runtime.
    ///
    /// # Panics
    /// When the database server does not answer.
    pub async fn db(&self) -> Db {
        match self.host.db.dialect() {
            Dialect::Sqlite => self.host.db.clone(),
            Dialect::Postgres => Db::open(&self.settings).await.expect("the database of a service opens"),
        }
    }

    /// Waits until it has told all that it had to tell.
    pub async fn told(&self) {
        let db = self.db().await;
        while waiting(&db).await > 0 {}
    }

    /// Its keys.
    pub fn keys(&self) -> &ServiceKeys {
        &self.host.keys
    }

    /// Where things can be planned to go wrong in it.
    pub fn points(&self) -> &Points {
        &self.host.points
    }

    /// The service itself, for what it does now and then by itself. Only in a world of one's own, which ends with the
    /// runtime of the test.
    pub fn host(&self) -> &Arc<Host<S>> {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proto::common::v1::GetLimitsRequest;
    use proto::common::v1::limits_service_client::LimitsServiceClient;
    use testkit::database::Kind;
    use tokio::runtime::Runtime;

    use super::super::{World, authorized};

    #[tokio::test]
    async fn who_looks_inside_and_goes_leaves_the_service_its_sessions() {
        let world = World::start(Kind::Postgres).await;
        let token = world.register().await.session.access_token;
        thread::scope(|scope| {
            scope.spawn(|| {
                Runtime::new().expect("a runtime starts").block_on(async {
                    let db = world.partner.db().await;
                    let mut open = Vec::new();
                    for _ in 0..5 {
                        open.push(db.snapshot().await.expect("the database answers"));
                    }
                    for tx in open {
                        tx.rollback().await;
                    }
                });
            });
        });
        for _ in 0..20 {
            let asked = LimitsServiceClient::new(world.to_partner().await)
                .get_limits(authorized(&token, GetLimitsRequest {}))
                .await;
            asked.expect("the service has its sessions");
        }
    }
}
