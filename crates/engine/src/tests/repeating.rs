//! A request whose answer was lost, and whose target knows it again by its key.

use std::sync::{Arc, Mutex};

use countersign_domain::{
    Millis,
    id::ProposalId,
    record::{Mode, Scope},
};
use countersign_tools::http::{HttpConfig, Method};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{
    executing::interrupted_at,
    world::{Device, World, eventually},
};
use crate::{
    Resolve,
    views::{
        StateKind,
        connections::{NewConnection, Way},
    },
};

const WINDOW: Millis = Millis::hours(1);

/// How a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reply {
    /// Not at all.
    Nothing,
    Conflict,
}

/// Takes requests, and answers with 200 what it has no other reply for.
#[derive(Clone)]
struct Target {
    port: u16,
    replies: Arc<Mutex<Vec<Reply>>>,
    /// The `Idempotency-Key` of each request.
    keys: Arc<Mutex<Vec<String>>>,
}

impl Target {
    /// With these replies to the first requests, the last one first.
    async fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Self {
            port: listener.local_addr().unwrap().port(),
            replies: Arc::new(Mutex::new(replies.to_vec())),
            keys: Arc::default(),
        };
        let serving = target.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.take(stream).await });
            }
        });
        target
    }

    async fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut reader = BufReader::new(read);
        let (mut length, mut key) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).await?;
            match line.trim_end().split_once(": ") {
                Some(("idempotency-key", value)) => value.clone_into(&mut key),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        reader.read_exact(&mut vec![0; length]).await?;
        self.keys.lock().unwrap().push(key);
        let reply = self.replies.lock().unwrap().pop();
        let status = match reply {
            Some(Reply::Nothing) => return Ok(()),
            Some(Reply::Conflict) => "409 Conflict",
            None => "200 OK",
        };
        write
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .await
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

/// A company with a desktop that holds a connection to the target, and a request over it.
async fn asked(target: &Target) -> (World, Device, ProposalId) {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let config = HttpConfig {
        allowed_methods: vec![Method::Post],
        allowed_path_prefixes: vec!["/".to_owned()],
        auth_header: None,
        base_url: format!("http://127.0.0.1:{}/", target.port),
        idempotency_window_s: Some(WINDOW.0 / 1_000),
    };
    let new = NewConnection {
        name: "Billing".to_owned(),
        way: Way::Http(config),
        secret: None,
    };
    device.engine.add_connection(new).await.unwrap();
    device.online().await;
    let id = world
        .propose(serde_json::json!({
            "toolId": "http.request",
            "input": { "method": "POST", "path": "/invoices", "body": "{}" },
        }))
        .await;
    device.card(id).await;
    (world, device, id)
}

/// Approves it and lets the hold pass.
async fn approved(world: &World, device: &Device, id: ProposalId) {
    world.clock.stand_still();
    device.fakes.clock.stand_still();
    device.approve(id).await;
    device.says(id, "Held until").await;
    world.clock.advance(Millis::seconds(11));
    device.fakes.clock.advance(Millis::seconds(11));
    device.engine.refresh();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_lost_is_made_again_under_its_key() {
    let target = Target::start(&[Reply::Nothing, Reply::Nothing]).await;
    let (world, device, id) = asked(&target).await;
    approved(&world, &device, id).await;
    device.says(id, "Done").await;
    assert_eq!(target.keys(), vec![id.to_string(); 3]);
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_to_the_second_request_leaves_it_to_people() {
    let target = Target::start(&[Reply::Conflict, Reply::Nothing]).await;
    let (world, device, id) = asked(&target).await;
    approved(&world, &device, id).await;
    device.says(id, "Unknown, it may have happened. ").await;
    assert_eq!(target.keys().len(), 2);
    device.engine.refresh();
    device.online().await;
    assert_eq!(device.card(id).await.state.kind, StateKind::Unknown);
    assert_eq!(target.keys().len(), 2, "it is not asked a third time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_has_cut_off_is_asked_again_when_the_tenant_is_back() {
    let target = Target::start(&[]).await;
    let (_world, device, id) = asked(&target).await;
    let device = interrupted_at(device, id, true).await;
    device.engine.refresh();
    assert!(target.keys().is_empty(), "nothing without the tenant's word");
    device.engine.cut_off(false);
    device.says(id, "Done").await;
    assert_eq!(target.keys(), vec![id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_window_it_is_left_to_people() {
    let target = Target::start(&[]).await;
    let (world, device, id) = asked(&target).await;
    let device = interrupted_at(device, id, true).await;
    world.clock.advance(WINDOW);
    device.engine.cut_off(false);
    device.says(id, "Unknown, it may have happened. ").await;
    eventually("why is said", async || {
        device.words(id).await.contains("may have forgotten its key")
    })
    .await;
    assert!(target.keys().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_have_settled_meanwhile_is_not_asked_again() {
    let target = Target::start(&[]).await;
    let (world, device, id) = asked(&target).await;
    let bob = world.colleague(&device, "bob").await;
    world.vouch(&device, &bob).await;
    let device = interrupted_at(device, id, true).await;
    world.clock.advance(Millis::seconds(61));
    bob.says(id, "Unknown, it may have happened. ").await;
    let word = Resolve {
        id,
        happened: false,
        note: None,
        confirmation: None,
    };
    bob.engine.resolve(word).await.unwrap();
    bob.says(id, "It did not happen, said you ").await;
    device.engine.cut_off(false);
    device.says(id, "It did not happen, said bob ").await;
    let seat = device.engine.seat().unwrap();
    eventually("nothing is open any more", async || {
        let account = seat.account.id;
        let open = seat
            .store
            .read(move |db| crate::store::execution::open(db, account))
            .await;
        open.unwrap().is_empty()
    })
    .await;
    assert!(target.keys().is_empty());
    assert_eq!(device.card(id).await.state.kind, StateKind::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_stop_it_waits_for_the_release() {
    let target = Target::start(&[]).await;
    let (world, device, id) = asked(&target).await;
    let bob = world.colleague(&device, "bob").await;
    world.vouch(&device, &bob).await;
    let device = interrupted_at(device, id, true).await;
    bob.engine.stop(Scope::Tenant, None).await.unwrap();
    eventually("it is stopped", async || {
        !bob.engine
            .app_state()
            .await
            .unwrap()
            .home
            .unwrap()
            .stops
            .is_empty()
    })
    .await;
    device.engine.cut_off(false);
    device.online().await;
    device.engine.refresh();
    for desktop in [&device, &bob] {
        eventually("it may be released", async || {
            let release = desktop.engine.release(Scope::Tenant, None).await;
            release.is_ok()
        })
        .await;
        if std::ptr::eq(desktop, &device) {
            assert!(target.keys().is_empty(), "one person does not release it");
        }
    }
    device.says(id, "Done").await;
    assert_eq!(target.keys(), vec![id.to_string()]);
}
