//! The proxy between the real client and a real PostgreSQL.

use db::{Db, Settings};
use testkit::postgres;

use super::*;

/// A client that reaches the server through the proxy, and one that reaches it directly.
struct Edge {
    proxy: Proxy,
    through: Db,
    direct: Db,
}

async fn edge(sessions: u32) -> Edge {
    let url = postgres::server().admin_url();
    let (proxy, through) = to_database(url);
    let through = Settings { sessions, ..Settings::new(through) };
    let through = Db::open(&through).await.expect("the server is reached through the proxy");
    let direct = Db::open(&Settings::new(url)).await.expect("the server is reached");
    Edge { proxy, through, direct }
}

impl Edge {
    /// Makes a table in a transaction whose COMMIT meets `action`: whether the client heard of a success, and whether
    /// the table stays.
    async fn commit(&self, action: Option<Action>) -> (bool, bool) {
        if let Some(action) = action {
            self.proxy.on_statement("COMMIT", action, 1);
        }
        let table = format!("proxy_{:016x}", rand::random::<u64>());
        let heard = self.through.run_script(format!("CREATE TABLE {table} ()")).await.is_ok();
        if action.is_some() {
            // The server has finished with the cut connection, so what it has done stands.
            self.proxy.idle().await;
        }
        let mut snapshot = self.direct.snapshot().await.expect("a snapshot");
        let found = snapshot.sql("SELECT count(*) FROM pg_class WHERE relname = $1").bind(table.clone());
        let stays = found.one::<i64>().await.expect("a count") == 1;
        if stays {
            self.direct.run_script(format!("DROP TABLE {table}")).await.expect("the table is there");
        }
        (heard, stays)
    }
}

#[tokio::test]
async fn each_way_of_cutting_a_commit_has_one_outcome_at_the_server() {
    let edge = edge(1).await;
    assert_eq!(edge.commit(None).await, (true, true));
    for round in 1..=10 {
        assert_eq!(edge.commit(Some(Action::CutBeforeForward)).await, (false, false), "round {round}");
        assert_eq!(edge.commit(Some(Action::CutAfterForward)).await, (false, true), "round {round}");
        assert_eq!(edge.commit(Some(Action::CutOnAnswer)).await, (false, true), "round {round}");
    }
    assert_eq!(edge.commit(None).await, (true, true), "the pool mends itself");
    assert_eq!(edge.proxy.counters().triggered, 30);
}

#[tokio::test]
async fn a_begin_that_was_given_up_is_rolled_back_before_its_session_is_used_again() {
    let edge = edge(1).await;
    edge.proxy.on_statement("BEGIN", Action::HoldAnswer, 1);
    edge.proxy.on_statement("ROLLBACK", Action::HoldAnswer, 1);
    let given_up = tokio::spawn({
        let through = edge.through.clone();
        async move { through.write().await.map(drop) }
    });
    edge.proxy.wait_triggered(1).await;
    given_up.abort();
    assert!(given_up.await.expect_err("it waits for the answer").is_cancelled());
    edge.proxy.release();
    // The session goes back to the pool by way of a rollback; without it, nothing would ever end this transaction.
    let rolled_back = tokio::time::timeout(Duration::from_secs(4), edge.proxy.wait_triggered(2)).await;
    assert!(rolled_back.is_ok(), "the session was left inside a transaction");
    edge.proxy.release();
    assert_eq!(edge.commit(None).await, (true, true));
    assert_eq!(edge.proxy.counters().connections, 1, "it is the same session");
}

#[tokio::test]
async fn a_session_that_was_left_clean_is_not_rolled_back() {
    let edge = edge(1).await;
    edge.proxy.on_statement("ROLLBACK", Action::CutBeforeForward, 1);
    for _ in 0..3 {
        assert_eq!(edge.commit(None).await, (true, true));
    }
    assert_eq!(edge.proxy.counters().triggered, 0, "each would be a warning in the server's log");
}
