//! The lists, each in its order.

use countersign_domain::{UnixMillis, fold::Status, id::ProposalId, radar::WAITING, record::Risk};
use rusqlite::{ToSql, named_params};

use super::{
    Cursor, Filter, Page, View,
    row::{COLUMNS, Row, id, read},
    words::hits_sql,
};
use crate::{
    Reader, StorageError,
    entries::{from_sql, to_sql},
};

/// How many search hits are looked at for one page: a word that most proposals have costs no more than a rare one.
const MAX_HITS: u32 = 2_000;

pub(super) struct List<'a> {
    pub(super) reader: &'a Reader,
    pub(super) filter: &'a Filter,
    pub(super) now: UnixMillis,
    pub(super) limit: usize,
}

impl List<'_> {
    /// Without what `decided` picks: a page is full of others where there are enough.
    pub(super) fn to_decide(
        &self,
        after: Option<&Cursor>,
        decided: &dyn Fn(ProposalId) -> bool,
    ) -> Result<Page, StorageError> {
        let worst = after.map_or(Risk::Critical, |cursor| cursor.risk);
        let sql = match self.filter.tool {
            None => format!(
                "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_to_decide WHERE list = 'to_decide'
                 AND risk = :risk AND created_seq > :seq AND lapses_ms > :now ORDER BY created_seq"
            ),
            Some(_) => format!(
                "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_to_decide_tool WHERE list = 'to_decide'
                 AND tool = :tool AND risk = :risk AND created_seq > :seq AND lapses_ms > :now
                 ORDER BY created_seq"
            ),
        };
        let mut rows = Vec::new();
        for risk in Risk::ALL.into_iter().rev().filter(|risk| *risk <= worst) {
            if self.filter.risk.is_some_and(|only| only != risk) {
                continue;
            }
            let from = after
                .filter(|cursor| cursor.risk == risk)
                .map_or(0, |cursor| cursor.seq);
            let (level, from) = (risk as i64, to_sql(from)?);
            let mut parameters: Vec<(&str, &dyn ToSql)> =
                vec![(":risk", &level), (":seq", &from), (":now", &self.now.0)];
            if let Some(tool) = &self.filter.tool {
                parameters.push((":tool", tool));
            }
            let mut statement = self.reader.connection.prepare_cached(&sql)?;
            let mut found = statement.query(parameters.as_slice())?;
            while rows.len() <= self.limit
                && let Some(row) = found.next()?
            {
                if !decided(id(row)?) {
                    rows.push(read(row, self.now)?);
                }
            }
            if rows.len() > self.limit {
                break;
            }
        }
        Ok(self.page(rows, |row| row.created_seq))
    }

    /// What may have happened and waits for people, the oldest first.
    pub(super) fn unknown(&self) -> Result<Vec<Row>, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_unknown WHERE status = 'unknown' {}
             ORDER BY created_seq LIMIT :limit",
            self.residual()
        );
        let limit = to_sql(self.limit as u64)?;
        let risk = self.filter.risk.map(|risk| risk as i64);
        let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":limit", &limit)];
        if let Some(risk) = &risk {
            parameters.push((":risk", risk));
        }
        if let Some(tool) = &self.filter.tool {
            parameters.push((":tool", tool));
        }
        let mut rows = Vec::new();
        self.collect(&sql, &parameters, &mut rows)?;
        Ok(rows)
    }

    /// What is not over, of each status the oldest; and whether there are more.
    pub(super) fn oldest(&self) -> Result<(Vec<Row>, bool), StorageError> {
        let (mut found, mut more) = (Vec::new(), false);
        for status in WAITING {
            let (list, index) = if status == Status::Proposed {
                ("to_decide", "proposal_to_decide")
            } else {
                ("in_progress", "proposal_in_progress")
            };
            let sql = format!(
                "SELECT {COLUMNS} FROM proposal INDEXED BY {index} WHERE list = '{list}' AND status = :status
                 AND (lapses_ms IS NULL OR lapses_ms > :now) ORDER BY created_seq LIMIT :limit"
            );
            let (whole, limit) = (found.len() + self.limit, to_sql(self.limit as u64 + 1)?);
            let named = status.name();
            let parameters: [(&str, &dyn ToSql); 3] =
                [(":status", &named), (":now", &self.now.0), (":limit", &limit)];
            self.collect(&sql, &parameters, &mut found)?;
            more |= found.len() > whole;
            found.truncate(whole);
        }
        Ok((found, more))
    }

    pub(super) fn in_progress(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_in_progress WHERE list = 'in_progress'
             AND created_seq < :seq AND (lapses_ms IS NULL OR lapses_ms > :now) {}
             ORDER BY created_seq DESC LIMIT :limit",
            self.residual()
        );
        self.newest_first(&sql, true, after, |row| row.created_seq)
    }

    pub(super) fn all(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal WHERE created_seq < :seq {} ORDER BY created_seq DESC LIMIT :limit",
            self.residual()
        );
        self.newest_first(&sql, false, after, |row| row.created_seq)
    }

    pub(super) fn done(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let index = match (&self.filter.tool, self.filter.risk) {
            (Some(_), _) => "proposal_done_tool",
            (None, Some(_)) => "proposal_done_risk",
            (None, None) => "proposal_done",
        };
        let recorded = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY {index} WHERE list = 'done' AND last_seq < :seq {}
             ORDER BY last_seq DESC LIMIT :limit",
            self.residual()
        );
        // What time alone has ended since the newest entry. Few, so sorting them costs nothing.
        let lapsed = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_lapses WHERE lapses_ms <= :now
             AND last_seq < :seq {} ORDER BY last_seq DESC LIMIT :limit",
            self.residual()
        );
        let mut rows = Vec::new();
        for (sql, timed) in [(recorded, false), (lapsed, true)] {
            self.descend(&sql, timed, after, &mut rows)?;
        }
        rows.sort_by_key(|row| core::cmp::Reverse(row.last_seq));
        Ok(self.page(rows, |row| row.last_seq))
    }

    pub(super) fn search(
        &self,
        view: View,
        query: &str,
        after: Option<&Cursor>,
    ) -> Result<Page, StorageError> {
        let list = match view {
            View::ToDecide => Some("to_decide"),
            View::InProgress => Some("in_progress"),
            View::Done => Some("done"),
            View::All => None,
        };
        // Of most hits no more is read than says whether they are wanted.
        let sql = hits_sql("created_seq, lapses_ms, list, risk, tool");
        let line = format!("SELECT {COLUMNS} FROM proposal WHERE created_seq = ?1");
        let mut line = self.reader.connection.prepare_cached(&line)?;
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let from = after.map_or(Ok(i64::MAX), |cursor| to_sql(cursor.seq))?;
        let mut hits = statement.query(named_params! {":query": query, ":seq": from, ":hits": MAX_HITS})?;
        let (mut rows, mut seen, mut last) = (Vec::new(), 0, 0);
        while let Some(hit) = hits.next()? {
            if rows.len() == self.limit {
                return Ok(Page {
                    rows,
                    next: Some(Cursor {
                        risk: Risk::Low,
                        seq: last,
                    }),
                });
            }
            seen += 1;
            last = from_sql(hit.get(0)?);
            let lapsed = hit.get::<_, Option<i64>>(1)?.is_some_and(|at| at <= self.now.0);
            let recorded = hit.get_ref(2)?.as_str().map_err(StorageError::damaged)?;
            let actual = if lapsed { "done" } else { recorded };
            let wanted = list.is_none_or(|list| list == actual)
                && self
                    .filter
                    .risk
                    .is_none_or(|risk| hit.get::<_, i64>(3).is_ok_and(|found| found == risk as i64))
                && self.filter.tool.as_ref().is_none_or(|tool| {
                    hit.get_ref(4)
                        .is_ok_and(|found| found.as_str().is_ok_and(|found| found == tool))
                });
            if wanted {
                rows.push(line.query_row([to_sql(last)?], |row| Ok(read(row, self.now)))??);
            }
        }
        let next = (seen == MAX_HITS).then_some(Cursor {
            risk: Risk::Low,
            seq: last,
        });
        Ok(Page { rows, next })
    }

    /// Conditions of the filter that no index may help with.
    fn residual(&self) -> String {
        let mut conditions = String::new();
        if self.filter.risk.is_some() {
            conditions.push_str(" AND risk = :risk");
        }
        if self.filter.tool.is_some() {
            conditions.push_str(" AND tool = :tool");
        }
        conditions
    }

    fn newest_first(
        &self,
        sql: &str,
        timed: bool,
        after: Option<&Cursor>,
        seq: impl Fn(&Row) -> u64,
    ) -> Result<Page, StorageError> {
        let mut rows = Vec::new();
        self.descend(sql, timed, after, &mut rows)?;
        Ok(self.page(rows, seq))
    }

    fn descend(
        &self,
        sql: &str,
        timed: bool,
        after: Option<&Cursor>,
        rows: &mut Vec<Row>,
    ) -> Result<(), StorageError> {
        let from = after.map_or(Ok(i64::MAX), |cursor| to_sql(cursor.seq))?;
        let limit = to_sql(self.limit as u64 + 1)?;
        let risk = self.filter.risk.map(|risk| risk as i64);
        let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":seq", &from), (":limit", &limit)];
        if timed {
            parameters.push((":now", &self.now.0));
        }
        if let Some(risk) = &risk {
            parameters.push((":risk", risk));
        }
        if let Some(tool) = &self.filter.tool {
            parameters.push((":tool", tool));
        }
        self.collect(sql, &parameters, rows)
    }

    fn collect(
        &self,
        sql: &str,
        parameters: &[(&str, &dyn ToSql)],
        into: &mut Vec<Row>,
    ) -> Result<(), StorageError> {
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            into.push(read(row, self.now)?);
        }
        Ok(())
    }

    /// Cuts the rows to the page; that there was one more says that it goes on.
    fn page(&self, mut rows: Vec<Row>, seq: impl Fn(&Row) -> u64) -> Page {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor {
            risk: row.risk,
            seq: seq(row),
        });
        Page { rows, next }
    }
}
