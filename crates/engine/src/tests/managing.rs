use countersign_domain::{
    id::{ConnectionId, UserId},
    record::{Mode, Role},
};
use countersign_tools::email::{SmtpConfig, Tls};
use secrecy::SecretString;

use super::world::{Device, MailServer, World, connect, eventually};
use crate::{
    Credential, ErrorCode, LinkState, Phase,
    ports::SecretStoreError,
    views::{
        StateKind,
        connections::{ConnectionRow, NewConnection, Way},
    },
};

/// A mail account with a password.
async fn add_account(device: &Device, mail: &MailServer) -> ConnectionId {
    let config = SmtpConfig {
        from: "office@acme.example".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: mail.port,
        tls: Tls::None,
        username: Some("office".to_owned()),
    };
    let new = NewConnection {
        name: "Office mail".to_owned(),
        way: Way::Smtp(config),
        secret: Some(SecretString::from("open sesame")),
    };
    device.engine.add_connection(new).await.unwrap();
    eventually("the connection is here", async || {
        !connections(device).await.is_empty()
    })
    .await;
    connections(device).await[0].id
}

async fn connections(device: &Device) -> Vec<ConnectionRow> {
    device.engine.connections().await.unwrap().rows
}

fn secrets(device: &Device) -> usize {
    let names = device.fakes.secrets.names();
    names.iter().filter(|name| name.contains("/connection/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_removed_takes_its_secret_and_what_waited_for_it_along() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    let id = add_account(&device, &mail).await;
    assert_eq!(secrets(&device), 1);
    let waiting = world.propose_mail("new@customer.example").await;
    device.card(waiting).await;
    assert_eq!(connections(&device).await[0].used_by, 1, "it is said before");

    device.engine.remove_connection(id).await.unwrap();
    assert_eq!(secrets(&device), 0, "as the page promises");
    eventually("it is gone", async || connections(&device).await.is_empty()).await;
    eventually("what waited is closed", async || {
        device.engine.card(waiting).await.unwrap().state.kind == StateKind::Superseded
    })
    .await;
    assert!(!device.engine.card(waiting).await.unwrap().approve.is_armed());
    let again = device.engine.remove_connection(id).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::NotFound, "{again}");
    assert_eq!(mail.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_does_not_let_go_of_a_secret_keeps_the_connection() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    let id = add_account(&device, &mail).await;
    let secrets_port = &device.fakes.secrets;

    secrets_port.fail_with(Some(SecretStoreError::Locked));
    let refused = device.engine.remove_connection(id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Keychain);
    assert!(refused.message.contains("Unlock it"), "{refused}");
    secrets_port.fail_with(None);
    device.engine.refresh();
    let task = world.propose_task("Something after it").await;
    device.card(task).await;
    assert_eq!(
        (connections(&device).await.len(), secrets(&device)),
        (1, 1),
        "nothing was changed: a secret that nothing names would stay for ever"
    );
    device.engine.remove_connection(id).await.unwrap();
    assert_eq!(secrets(&device), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_another_device_is_removed_without_this_ones_keychain() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let ada = world.device().await;
    let id = add_account(&ada, &mail).await;
    let bob = world.colleague(&ada, "Bob").await;
    let refused = bob.engine.remove_connection(id).await.unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::Refused,
        "an approver manages nothing: {refused}"
    );
    let bobs = person(&ada, "Bob").await;
    ada.engine.change_role(bobs, Role::Admin).await.unwrap();
    bob.engine.refresh();
    bob.fakes.secrets.fail_with(Some(SecretStoreError::Unavailable));
    bob.engine.remove_connection(id).await.unwrap();
    eventually("it is gone", async || connections(&ada).await.is_empty()).await;
}

async fn person(device: &Device, name: &str) -> UserId {
    let found = async || {
        let people = device.engine.people().await.unwrap();
        people
            .members
            .iter()
            .find(|member| member.name == name)
            .map(|member| member.id)
    };
    eventually("the person is known", async || found().await.is_some()).await;
    found().await.unwrap()
}

async fn role(device: &Device, id: UserId) -> Option<Role> {
    let people = device.engine.people().await.unwrap();
    people
        .members
        .iter()
        .find(|member| member.id == id)
        .map(|member| member.role)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_is_seen_by_everybody_and_takes_the_right_to_decide_away() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    world.vouch(&ada, &bob).await;
    let task = world.propose_task("Paint the fence").await;
    eventually("bob may decide", async || bob.card(task).await.approve.is_armed()).await;
    let bobs = person(&ada, "Bob").await;

    let over = bob.engine.change_role(bobs, Role::Owner).await.unwrap_err();
    assert_eq!(over.code, ErrorCode::Refused, "nobody raises themselves: {over}");
    ada.engine.change_role(bobs, Role::Auditor).await.unwrap();
    for device in [&ada, &bob] {
        eventually("both see the role", async || {
            role(device, bobs).await == Some(Role::Auditor)
        })
        .await;
    }
    let card = bob.card(task).await;
    assert!(!card.approve.is_armed(), "an auditor reads");
    assert!(bob.decide(task, crate::Choice::Approve, None).await.is_err());
    ada.approve(task).await;
    ada.says(task, "Done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_told_so_and_what_they_approved_does_not_run() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let ada = world.device().await;
    ada.add_mail(&mail).await;
    let bob = world.colleague(&ada, "Bob").await;
    world.vouch(&ada, &bob).await;
    let bobs = person(&ada, "Bob").await;
    let id = world.propose_mail("new@customer.example").await;
    eventually("bob may decide", async || bob.card(id).await.approve.is_armed()).await;
    // Its holder does not run it meanwhile.
    ada.engine.stop_task("execute");
    world.clock.stand_still();
    ada.fakes.clock.stand_still();
    bob.approve(id).await;
    ada.says(id, "Held until").await;

    ada.engine.remove_member(bobs).await.unwrap();
    ada.says(id, "Waits for a decision").await;
    assert_eq!(role(&ada, bobs).await, None, "and is not listed any more");
    bob.engine.refresh();
    let trouble = async || bob.engine.app_state().await.unwrap().home.unwrap().trouble;
    eventually("bob is told why nothing comes", async || {
        trouble()
            .await
            .is_some_and(|trouble| trouble.contains("does not know you any more"))
    })
    .await;
    assert_eq!(bob.engine.link().state, LinkState::Stalled);
    let devices = ada.engine.devices().await.unwrap();
    assert!(
        devices
            .iter()
            .any(|device| device.person == "Bob" && device.revoked),
        "his device went with him: {devices:?}"
    );
    assert_eq!(mail.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ones_own_agent_asks_for_somebody_else_approves() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let (created, _) = device
        .engine
        .create_agent("My assistant".to_owned(), true)
        .await
        .unwrap();
    eventually("the list names its owner", async || {
        let agents = device.engine.agents().await.unwrap();
        agents
            .rows
            .iter()
            .any(|row| row.id == created.agent_id && row.owner.as_deref() == Some("you"))
    })
    .await;
    let request = reqwest::Client::new()
        .post(format!("{}/api/assistant/propose", world.url))
        .bearer_auth(&created.api_key)
        .header("x-tenant-id", world.tenant.to_string())
        .header("content-type", "application/json")
        .body(r#"{"text":"create task: raise my budget"}"#);
    let answer: serde_json::Value =
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    let id = answer["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let card = device.card(id).await;
    assert_eq!(card.on_behalf_of.as_deref(), Some("you"));
    assert!(!card.approve.is_armed(), "{:?}", card.approve);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_proposes_nothing_more() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let (created, _) = device
        .engine
        .create_agent("Night shift".to_owned(), false)
        .await
        .unwrap();
    let ask = async || {
        let request = reqwest::Client::new()
            .post(format!("{}/api/assistant/propose", world.url))
            .bearer_auth(&created.api_key)
            .header("x-tenant-id", world.tenant.to_string())
            .header("content-type", "application/json")
            .body(r#"{"text":"create task: sweep the floor"}"#);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 200);
    device.engine.revoke_agent(created.agent_id).await.unwrap();
    assert_eq!(ask().await, 401, "at once");
    let row = async || {
        let rows = device.engine.agents().await.unwrap().rows;
        rows.into_iter().find(|row| row.id == created.agent_id).unwrap()
    };
    eventually("it is said so", async || row().await.revoked).await;
    assert!(!row().await.may_revoke, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_invitation_lets_nobody_in() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let email = "eve@acme.example".to_owned();
    let (invited, _) = ada.engine.invite(email.clone(), Role::Approver).await.unwrap();
    let open = async || ada.engine.people().await.unwrap().invites.len();
    eventually("it is listed", async || open().await == 1).await;
    ada.engine.withdraw_invite(invited.invite_id).await.unwrap();
    eventually("it is not listed any more", async || open().await == 0).await;

    let eve = Device::new();
    eve.engine.start().await;
    let mut form = connect(&world, "Eve's laptop");
    form.email = email;
    form.credential = Credential::Invite {
        code: invited.secret.into(),
        name: "Eve".to_owned(),
        password: SecretString::from("correct horse battery"),
    };
    eve.engine.connect(form).await.unwrap_err();
    assert_eq!(eve.engine.phase(), Phase::FirstRun);
    assert_eq!(ada.engine.people().await.unwrap().members.len(), 1);
}
