//! The tables refuse what no code of ours would write.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_refuse_a_state_a_risk_or_a_priority_that_does_not_exist() {
    let world = World::new().await;
    let task = world.propose("create task: Call the bank").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    world.run_everything().await;
    let (id, folder) = (world.tenant.id(), world.folder);
    drop(world.tenant);
    let file = Connection::open(folder.path().join("tenant.db")).unwrap();
    let bad = [
        "UPDATE proposal SET status = 11",
        "UPDATE proposal SET status = -1",
        "UPDATE proposal SET status = 'completed'",
        "UPDATE proposal SET status = NULL",
        "UPDATE proposal SET risk = 4",
        "UPDATE proposal SET risk = 'low'",
        "UPDATE task SET priority = 'urgent'",
        "UPDATE task SET priority = 'LOW'",
        "INSERT INTO lease (proposal, fence, expires_ms, begun) VALUES (x'00', 1, 1, 2)",
        "INSERT INTO lease (proposal, fence, expires_ms, begun) VALUES (x'00', 'one', 1, 0)",
        "UPDATE entry SET sig = x'00' WHERE keyid IS NULL",
        "UPDATE entry SET sig = NULL WHERE keyid IS NOT NULL",
        "INSERT INTO head (only, frontier, last_ms, log_key) VALUES (2, x'', 0, x'')",
        "INSERT INTO proposal SELECT created_seq + 1000, id, status, risk, tool, proposer, executor, expires_ms, due_ms,
             sentence, tool_call_id, preview_seq, receipt_seq, fence, state FROM proposal",
    ];
    for sql in bad {
        let error = file.execute(sql, []).expect_err(sql);
        assert_eq!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::ConstraintViolation),
            "{sql}: {error}"
        );
    }
    for (table, rows) in [("proposal", 1), ("task", 1), ("head", 1)] {
        let count = format!("SELECT count(*) FROM {table}");
        let found: i64 = file.query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(
            found, rows,
            "there was something in {table} to spoil, and it is as before"
        );
    }
    drop(file);
    let again = Tenant::open(folder.path(), world.clock, Arc::new(SeedRules), id).unwrap();
    assert_eq!(again.tasks(None, 10).await.unwrap().len(), 1);
}
