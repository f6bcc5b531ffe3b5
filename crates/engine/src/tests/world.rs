//! One company: a server, its owner, an agent, and the owner's device, which can lose the network and crash.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign_domain::{
    Millis, UnixMillis,
    dsse::SigningKey,
    id::{ProposalId, TenantId, UserId},
    record::{Mode, Role},
    wire::{Proposed, SignedIn, TenantSummary},
};
use countersign_server::{Config, NewTenant, Server, clock::Clock};
use countersign_tools::email::{SmtpConfig, Tls};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    Choice, Connect, Credential, Decide, Engine, LinkState, Phase,
    ports::Ports,
    rules::AWAITS_PREVIEW,
    testing::{Fakes, SetClock},
    views::{
        card::{Card, Decided},
        connections::{NewConnection, Way},
        inbox::{InboxPage, InboxQuery, InboxView},
    },
};

pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct World {
    /// First, so that it looks before the folder goes.
    _auditor: Auditor,
    pub(super) server: Arc<Server>,
    pub(super) url: String,
    pub(super) tenant: TenantId,
    pub(super) owner: UserId,
    pub(super) clock: Arc<ServerClock>,
    agent: String,
    folder: TempDir,
}

/// Looks over a test's shoulder: when it is dropped, it exports the journal and must find it whole and in order.
struct Auditor {
    server: Arc<Server>,
    tenant: TenantId,
    owner: UserId,
}

impl Drop for Auditor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (server, tenant, owner) = (Arc::clone(&self.server), self.tenant, self.owner);
        // The test's own runtime is where this is dropped, and cannot be waited on there.
        let bundle = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(export(&server, tenant, owner))
        });
        let report = countersign_verify::verify(&bundle.join().unwrap()[..], &Default::default()).unwrap();
        let verdict = &report.verdict;
        assert_eq!(
            *verdict,
            countersign_verify::Verdict::Whole,
            "an auditor would not believe this journal:\n{report}"
        );
    }
}

async fn export(server: &Server, tenant: TenantId, owner: UserId) -> Vec<u8> {
    let token = server.open_session(owner).await.unwrap();
    let listening = server
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let call = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{}/api/journal/export", listening.url()))
        .bearer_auth(token.reveal())
        .header("x-tenant-id", tenant.to_string());
    let answer = async {
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    };
    tokio::select! {
        () = server.serve(listening, std::future::pending()) => unreachable!("nothing stops it"),
        bundle = answer => bundle,
    }
}

/// The server's clock: it runs, from where it is set.
#[derive(Debug, Default)]
pub(super) struct ServerClock(SetClock);

impl ServerClock {
    pub(super) fn advance(&self, by: Millis) {
        self.0.advance(by);
    }

    pub(super) fn stand_still(&self) {
        self.0.stand_still();
    }
}

impl Clock for ServerClock {
    fn now(&self) -> UnixMillis {
        crate::ports::Clock::now(&self.0)
    }
}

pub(super) struct Device {
    pub(super) engine: Engine,
    pub(super) fakes: Fakes,
    folder: TempDir,
}

impl World {
    pub(super) async fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ServerClock::default());
        let mut config = Config::new(folder.path().join("server"));
        config.clock = clock.clone();
        let server = Arc::new(Server::open(config).await.unwrap());
        let new = NewTenant {
            name: "Acme".to_owned(),
            mode,
            email: "ada@acme.example".to_owned(),
            owner: "Ada".to_owned(),
            password: PASSWORD.to_owned().into(),
        };
        let (tenant, owner) = server.found_tenant(new).await.unwrap();
        let agent = server
            .add_agent(tenant, "Billing bot")
            .await
            .unwrap()
            .1
            .reveal()
            .to_owned();
        let listening = server
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let url = listening.url();
        let serving = Arc::clone(&server);
        tokio::spawn(async move { serving.serve(listening, std::future::pending()).await });
        Self {
            _auditor: Auditor {
                server: Arc::clone(&server),
                tenant,
                owner,
            },
            server,
            url,
            tenant,
            owner,
            clock,
            agent,
            folder,
        }
    }

    /// A device of the owner's, signed in, with the journal here.
    pub(super) async fn device(&self) -> Device {
        let device = Device::new();
        device.sign_in(self).await;
        device.online().await;
        device
    }

    /// Somebody else, invited as an approver, on a device that waits to be vouched for.
    pub(super) async fn colleague(&self, inviter: &Device, name: &str) -> Device {
        let email = format!("{}@acme.example", name.to_lowercase());
        let (invited, url) = inviter
            .engine
            .invite(email.clone(), Role::Approver)
            .await
            .unwrap();
        let device = Device::new();
        device.engine.start().await;
        let form = Connect {
            url,
            email,
            credential: Credential::Invite {
                code: invited.secret.into(),
                name: name.to_owned(),
                password: SecretString::from(PASSWORD),
            },
            device_name: format!("{name}'s laptop"),
            tenant: None,
        };
        device.engine.connect(form).await.unwrap();
        device.online().await;
        device
    }

    pub(super) async fn vouch(&self, admin: &Device, new: &Device) {
        let seat = new.engine.seat().unwrap();
        let id = seat.device();
        let code = seat.people().await.unwrap().devices[&id].code();
        eventually("the new device is known", async || {
            admin
                .engine
                .devices()
                .await
                .unwrap()
                .iter()
                .any(|row| row.id == id && row.may_endorse)
        })
        .await;
        admin.engine.endorse_device(id, code).await.unwrap();
        eventually("the new device is in service", async || {
            seat.people().await.unwrap().devices[&id].is_active()
        })
        .await;
    }

    pub(super) async fn session(&self) -> SignedIn {
        let token = self
            .server
            .open_session(self.owner)
            .await
            .unwrap()
            .reveal()
            .to_owned();
        let tenant = TenantSummary {
            id: self.tenant,
            name: "Acme".to_owned(),
            role: Role::Owner,
            mode: Mode::Company,
        };
        SignedIn {
            token,
            user_id: self.owner,
            email: "ada@acme.example".to_owned(),
            tenants: vec![tenant],
        }
    }

    /// The key that the log signs with, as whoever has the server's disk has it.
    pub(super) fn log_key(&self) -> SigningKey {
        let path = format!("server/tenants/{}/tenant.db", self.tenant);
        let file = rusqlite::Connection::open(self.folder.path().join(path)).unwrap();
        let seed = file.query_row("SELECT log_key FROM head", [], |row| row.get::<_, [u8; 32]>(0));
        SigningKey::from_seed(&seed.unwrap())
    }

    pub(super) fn agent_key(&self) -> &str {
        &self.agent
    }

    /// What the agent is answered.
    pub(super) async fn call(&self, path: &str, body: serde_json::Value) -> String {
        let answer = reqwest::Client::new()
            .post(format!("{}/api/assistant/{path}", self.url))
            .bearer_auth(&self.agent)
            .header("x-tenant-id", self.tenant.to_string())
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        answer.text().await.unwrap()
    }

    pub(super) async fn propose(&self, body: serde_json::Value) -> ProposalId {
        let text = self.call("propose", body).await;
        let proposed: Proposed = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        proposed
            .proposal_record
            .unwrap_or_else(|| panic!("{text}"))
            .ai_tool_call_id
    }

    pub(super) async fn propose_task(&self, title: &str) -> ProposalId {
        self.propose(serde_json::json!({ "text": format!("create task: {title}") }))
            .await
    }

    pub(super) async fn propose_mail(&self, to: &str) -> ProposalId {
        self.propose(serde_json::json!({
            "toolId": "email.send",
            "input": { "to": [to], "subject": "Invoice 7", "body": "Dear customer,\nplease find the invoice." },
        }))
        .await
    }
}

impl Device {
    pub(super) fn new() -> Self {
        Self::of(Fakes::default(), |folder, ports| {
            Engine::new(folder, ports).unwrap()
        })
    }

    /// With an engine of another make.
    pub(super) fn of(fakes: Fakes, make: impl FnOnce(std::path::PathBuf, Ports) -> Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = make(folder.path().join("engine"), fakes.ports());
        Self {
            engine,
            fakes,
            folder,
        }
    }

    pub(super) async fn sign_in(&self, world: &World) {
        assert_eq!(
            self.engine.start().await,
            Phase::FirstRun,
            "nothing was set up before"
        );
        self.engine.connect(connect(world, "Studio")).await.unwrap();
    }

    /// The process ends without a word, and another one begins over the same files.
    pub(super) async fn crash(self, offline: bool) -> Self {
        let Self {
            engine,
            fakes,
            folder,
        } = self;
        engine.stand_up();
        drop(engine);
        let engine = Engine::new(folder.path().join("engine"), fakes.ports()).unwrap();
        engine.cut_off(offline);
        assert_eq!(
            engine.start().await,
            Phase::Ready,
            "a device that was set up opens by itself"
        );
        Self {
            engine,
            fakes,
            folder,
        }
    }

    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path().join("engine"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    std::fs::read(&path).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("engine")
    }

    pub(super) async fn online(&self) {
        eventually("the device is online and in service", async || {
            self.engine.link().state == LinkState::Online
                && self
                    .engine
                    .devices()
                    .await
                    .is_ok_and(|devices| devices.iter().any(|device| device.this_device))
        })
        .await;
    }

    pub(super) async fn offline(&self) {
        self.engine.cut_off(true);
        eventually("the device is offline", async || {
            self.engine.link().state == LinkState::Offline
        })
        .await;
    }

    pub(super) async fn card(&self, id: ProposalId) -> Card {
        eventually("the proposal is here, with what it would do", async || {
            let card = self.engine.card(id).await;
            card.is_ok_and(|card| card.approve.why_not.as_deref() != Some(AWAITS_PREVIEW))
        })
        .await;
        self.engine.card(id).await.unwrap()
    }

    pub(super) async fn words(&self, id: ProposalId) -> String {
        self.card(id).await.state.words
    }

    pub(super) async fn says(&self, id: ProposalId, beginning: &str) {
        let said = std::cell::RefCell::new(String::new());
        let so = eventually_so(async || {
            let words = self.words(id).await;
            let so = words.starts_with(beginning);
            said.replace(words);
            so
        });
        assert!(so.await, "it never said {beginning:?}, but {:?}", said.borrow());
    }

    pub(super) async fn approve(&self, id: ProposalId) -> Decided {
        self.decide(id, Choice::Approve, None).await.unwrap()
    }

    pub(super) async fn reject(&self, id: ProposalId, reason: &str) -> Decided {
        self.decide(id, Choice::Reject, Some(reason.to_owned()))
            .await
            .unwrap()
    }

    pub(super) async fn decide(
        &self,
        id: ProposalId,
        verdict: Choice,
        comment: Option<String>,
    ) -> Result<Decided, crate::EngineError> {
        let card = self.card(id).await;
        let confirmation = card.confirm.map(|confirm| confirm.placeholder);
        self.engine
            .decide(Decide {
                id,
                view: card.view_digest,
                verdict,
                comment,
                confirmation,
            })
            .await
    }

    pub(super) async fn inbox(&self, view: InboxView) -> InboxPage {
        let query = InboxQuery {
            view,
            search: None,
            risk: None,
            after: None,
            limit: 50,
        };
        self.engine.inbox(query).await.unwrap()
    }

    pub(super) async fn add_mail(&self, mail: &MailServer) {
        let config = SmtpConfig {
            from: "office@acme.example".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: mail.port,
            tls: Tls::None,
            username: None,
        };
        let new = NewConnection {
            name: "Office mail".to_owned(),
            way: Way::Smtp(config),
            secret: None,
        };
        self.engine.add_connection(new).await.unwrap();
    }
}

pub(super) fn connect(world: &World, device_name: &str) -> Connect {
    Connect {
        url: world.url.clone(),
        email: "ada@acme.example".to_owned(),
        credential: Credential::Password(SecretString::from(PASSWORD)),
        device_name: device_name.to_owned(),
        tenant: None,
    }
}

/// A mail server that takes everything and remembers it.
#[derive(Clone)]
pub(super) struct MailServer {
    pub(super) port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            mails: Arc::default(),
        };
        let mails = Arc::clone(&server.mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&mails)));
            }
        });
        server
    }

    pub(super) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

async fn talk(stream: TcpStream, mails: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.acme.example\r\n").await.ok()?;
    while let Some(line) = lines.next_line().await.ok()? {
        let answer: &[u8] = match line.split(' ').next().unwrap_or_default().to_uppercase().as_str() {
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                mails.lock().unwrap().push(mail);
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await.ok()?;
    }
    None
}

/// Waits until something is so. The limit is for a loaded machine, not for the code.
pub(super) async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    assert!(eventually_so(so).await, "never came to be: {what}");
}

async fn eventually_so(so: impl AsyncFn() -> bool) -> bool {
    let started = Instant::now();
    while !so().await {
        if started.elapsed() > Duration::from_secs(30) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}
