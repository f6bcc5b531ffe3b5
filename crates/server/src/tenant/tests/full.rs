//! A disk without room: nothing half-written, nothing acknowledged that is lost, and work again when there is room.

use super::*;
use crate::ingress::ProposeError;

impl World {
    async fn pages(&self, name: &'static str) -> i64 {
        self.tenant
            .never(move |desk| {
                Ok(desk
                    .connection()
                    .pragma_query_value(None, name, |row| row.get(0))?)
            })
            .await
            .unwrap()
    }

    /// The file may have so many pages and no more.
    async fn room(&self, pages: i64) {
        self.tenant
            .never(move |desk| {
                let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                desk.connection()
                    .pragma_update_and_check(None, "max_page_count", pages, set)?;
                Ok(())
            })
            .await
            .unwrap();
    }

    pub(super) async fn try_propose(&self, title: &str) -> Result<ProposalId, ProposeError> {
        let request = wire::Propose {
            text: Some(format!("create task: {title}")),
            ..wire::Propose::default()
        };
        match self
            .rules
            .propose(&self.tenant, self.proposer(), request, None)
            .await?
        {
            Understood::Stored { stored, .. } => Ok(stored.state.id),
            Understood::NoIntent | Understood::NoTool => panic!("not understood"),
        }
    }

    /// The root of the journal as it is in the file, and its size.
    pub(super) async fn recomputed(&self) -> (u64, Digest) {
        let mut frontier = Frontier::new();
        loop {
            let page = self.tenant.page(frontier.size(), 500, Sight::All).await.unwrap();
            if page.entries.is_empty() {
                return (frontier.size(), frontier.root());
            }
            for entry in page.entries {
                let record = entry.record().expect("every entry has its own body");
                let header = Header {
                    at: entry.at,
                    digest: entry.digest,
                    kind: HeaderKind::known(record.kind.name()),
                    seq: entry.seq,
                    subject: entry.subject,
                };
                frontier.append(header.leaf_hash());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_takes_nothing_with_it_that_was_acknowledged() {
    let world = Arc::new(World::new().await);
    let unlimited = world.pages("max_page_count").await;
    let first = world.propose("create task: decided later").await.state.id;
    world.room(world.pages("page_count").await + 24).await;

    // Many at once, so that whole batches fail and are tried again one by one.
    let mut acknowledged = vec![first];
    let mut refused = 0;
    for round in 0..20 {
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { world.try_propose(&format!("{round} {number}")).await })
            })
            .collect();
        for call in calls {
            match call.await.unwrap() {
                Ok(id) => acknowledged.push(id),
                Err(ProposeError::Store(StoreError::Full)) => refused += 1,
                Err(other) => panic!("a full disk is said, not {other:?}"),
            }
        }
    }
    assert!(
        acknowledged.len() > 5 && refused > 20,
        "{} and {refused}",
        acknowledged.len()
    );
    let head = world.tenant.head();
    assert_eq!(
        world.recomputed().await,
        (head.size, head.root),
        "nothing is half-written"
    );
    let stored = world.tenant.proposals(Filter::default(), 1_000).await.unwrap();
    assert_eq!(stored.len(), acknowledged.len(), "and nothing more than was said");
    for id in &acknowledged {
        assert_eq!(world.status(*id).await, Status::Proposed);
    }

    world.room(unlimited).await;
    assert!(world.try_propose("there is room again").await.is_ok());
    assert!(world.decide(first, Verdict::Approve, 1).await.effective);
    world.run_everything().await;
    assert_eq!(world.status(first).await, Status::Completed);
    let head = world.tenant.head();
    assert_eq!(world.recomputed().await, (head.size, head.root));
    let world = Arc::into_inner(world).unwrap();
    let (id, folder, clock) = (world.tenant.id(), world.folder, world.clock);
    drop(world.tenant);
    let again = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap();
    assert_eq!(again.head(), head, "and it is there after a restart");
}
