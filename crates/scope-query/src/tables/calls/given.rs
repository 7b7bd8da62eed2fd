//! Rows on their way out, passed on many at a time: then each column is looked up once for all of them.

use super::row::{Account, Row};
use crate::code::Sites;
use crate::rows::Rows;
use crate::source::Source;

/// About as many as the nearest memory of a core holds.
const MOST_WAITING: usize = 128;

#[derive(Debug)]
pub(crate) struct Given {
    /// `None` where nobody asks where calls were made.
    sites: Option<Sites>,
    waiting: Vec<Row>,
    /// How their time was spent; empty where that was not asked for.
    accounts: Vec<Account>,
}

impl Given {
    /// `places`: it is asked where calls were made.
    pub(crate) fn new(places: bool) -> Self {
        let sites = places.then(Sites::default);
        Self { sites, waiting: Vec::with_capacity(MOST_WAITING), accounts: Vec::new() }
    }

    /// Gives a row; of all rows the account is known, or of none.
    #[inline]
    pub(crate) fn give(
        &mut self,
        row: Row,
        account: Option<Account>,
        source: &Source,
        rows: &mut Rows,
    ) {
        self.waiting.push(row);
        self.accounts.extend(account);
        if self.waiting.len() >= MOST_WAITING {
            self.pass_on(source, rows);
        }
    }

    /// Passes on what waits.
    #[inline(never)]
    pub(crate) fn pass_on(&mut self, source: &Source, rows: &mut Rows) {
        match &mut self.sites {
            None => {
                let accounts = &self.accounts;
                rows.push_all(&self.waiting, |index, row, column| {
                    row.cell(source, accounts.get(index), None, column)
                });
            }
            Some(sites) => {
                for (index, row) in self.waiting.iter().enumerate() {
                    let account = self.accounts.get(index);
                    let site = sites.of(source.code(), row.pid, &row.call);
                    rows.push(|column| row.cell(source, account, Some(&site), column));
                }
            }
        }
        self.waiting.clear();
        self.accounts.clear();
    }
}
