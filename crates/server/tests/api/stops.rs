//! An emergency stop over a server that runs calls by itself.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn what_was_approved_under_a_stop_runs_by_itself_once_two_people_release_it() {
    let world = World::company().await;
    let invited = world
        .post(
            "/api/invites",
            &world.person,
            json!({"email": "ben@acme.example", "role": "approver"}),
        )
        .await;
    let accept = json!({"secret": invited.body["secret"], "name": "Ben", "password": PASSWORD});
    let ben = world.post("/api/invites/accept", "", accept).await;
    let ben = ben.body["token"].as_str().unwrap().to_owned();

    let everything = json!({"kind": "tenant"});
    let stopped = world.post("/api/stop", &ben, json!({"scope": everything})).await;
    assert_eq!(stopped.status, 201, "{:?}", stopped.body);
    let stop = stopped.body["stops"][0]["stop"].clone();
    let task = world.propose("create task: Call the bank").await;
    assert_eq!(world.decide("approve", &task).await.body["status"], "pending");
    let health = world.propose("system health").await;
    let status = async |id: &str| {
        let path = format!("/api/assistant/proposals/{id}");
        world.get(&path, &world.person).await.body["status"].clone()
    };
    // Nobody calls `execute`: what runs here, the server runs by itself.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(
        (status(&task).await, status(&health).await),
        (json!("pending"), json!("pending"))
    );

    let release = json!({"scope": everything, "stop": stop});
    for person in [&ben, &world.person] {
        assert_eq!(
            world
                .post("/api/stop/release", person, release.clone())
                .await
                .status,
            200
        );
    }
    let ended = async |id: &str| -> Value {
        let path = format!("/api/assistant/proposals/{id}?wait=45");
        loop {
            let detail = world.get(&path, &world.person).await.body;
            if detail["status"] != "pending" && detail["status"] != "running" {
                return detail["status"].clone();
            }
        }
    };
    assert_eq!(
        (ended(&task).await, ended(&health).await),
        (json!("completed"), json!("completed"))
    );
    assert_eq!(world.tasks().await, 1);
}
