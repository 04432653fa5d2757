//! The tenant selection list: search, paging and links. Pure.

use minijinja::{Value, context};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::domain::{own_path, return_address::ReturnAddress, tenant::TenantId};

pub const PAGE_SIZE: usize = 50;

/// A domain has at most 253 characters; a longer search cannot match.
const MAX_QUERY_CHARS: usize = 253;

/// The query of the list: `?to=…&q=…&page=…`. Missing and invalid values have defaults; nothing is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantQuery {
    /// Where to go once a tenant is chosen, if that address is one of ours.
    pub to: Option<ReturnAddress>,
    pub query: String,
    /// From 1.
    pub page: usize,
}

impl TenantQuery {
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self { to: None, query: String::new(), page: 1 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "to" => parsed.to = ReturnAddress::parse(&value),
                "q" => parsed.query = value.trim().chars().take(MAX_QUERY_CHARS).collect(),
                "page" => parsed.page = value.parse().unwrap_or(1),
                _ => {}
            }
        }
        parsed
    }

    /// Whether the names have to be filtered.
    pub fn is_search(&self) -> bool {
        !self.query.is_empty()
    }
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPage {
    query: TenantQuery,
    /// Matches on all pages.
    pub count: usize,
    pub page: usize,
    pub last_page: usize,
    /// Domain and where it leads.
    pub tenants: Vec<(TenantId, String)>,
}

impl TenantPage {
    /// `names` are sorted; `start` is the portal's start page, used if there is no return address.
    pub fn new(names: &[TenantId], query: TenantQuery, start: &str) -> Self {
        let needle = query.query.to_lowercase();
        // one scan of the names, and none without a search or if no name can match
        let found: Option<Vec<&TenantId>> = (!needle.is_empty()).then(|| {
            let can_match =
                needle.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            let searched = if can_match { names } else { &[] };
            searched.iter().filter(|name| name.as_str().contains(&needle)).collect()
        });
        let count = found.as_ref().map_or(names.len(), Vec::len);
        let last_page = count.div_ceil(PAGE_SIZE).max(1);
        let page = query.page.clamp(1, last_page);
        let target = query.to.as_ref().map_or(start, ReturnAddress::as_str);
        let first = (page - 1) * PAGE_SIZE;
        let link = |tenant: &TenantId| (tenant.clone(), deep_link(target, tenant));
        let tenants = match &found {
            Some(found) => found.iter().skip(first).take(PAGE_SIZE).map(|tenant| link(tenant)).collect(),
            None => names.iter().skip(first).take(PAGE_SIZE).map(link).collect(),
        };
        Self { query, count, page, last_page, tenants }
    }

    /// For the template.
    pub(super) fn values(&self) -> Value {
        let tenants =
            self.tenants.iter().map(|(tenant, href)| context! { domain => tenant.as_str(), href => href });
        context! {
            action => own_path::TENANTS,
            to => self.query.to.as_ref().map(ReturnAddress::as_str),
            query => &self.query.query,
            count => self.count,
            shown => group_digits(self.count),
            tenants => tenants.collect::<Value>(),
            all_href => self.href("", 1),
            page_shown => group_digits(self.page),
            last_shown => group_digits(self.last_page),
            previous_href => (self.page > 1).then(|| self.href(&self.query.query, self.page - 1)),
            next_href => (self.page < self.last_page).then(|| self.href(&self.query.query, self.page + 1)),
            pages => self.pages(),
        }
    }

    /// The first, the last and the adjacent pages; nothing where one page holds everything.
    fn pages(&self) -> Value {
        if self.last_page == 1 {
            return Value::from(());
        }
        let numbers: Vec<usize> = [1, self.page - 1, self.page, self.page + 1, self.last_page]
            .into_iter()
            .filter(|number| (1..=self.last_page).contains(number))
            .collect();
        let mut links = Vec::new();
        let mut before = 0;
        for number in numbers {
            if number <= before {
                continue;
            }
            if number > before + 1 {
                links.push(context! { gap => true });
            }
            links.push(context! {
                href => self.href(&self.query.query, number),
                number => group_digits(number),
                current => number == self.page,
            });
            before = number;
        }
        links.into_iter().collect()
    }

    fn href(&self, query: &str, page: usize) -> String {
        let mut written = form_urlencoded::Serializer::new(String::new());
        if let Some(to) = &self.query.to {
            written.append_pair("to", to.as_str());
        }
        if !query.is_empty() {
            written.append_pair("q", query);
        }
        if page > 1 {
            written.append_pair("page", &page.to_string());
        }
        let written = written.finish();
        if written.is_empty() {
            own_path::TENANTS.to_owned()
        } else {
            format!("{}?{written}", own_path::TENANTS)
        }
    }
}

/// `to` with `tenant=…` in its query in place of any tenant it named before; all else stays as it was written.
pub fn deep_link(to: &str, tenant: &TenantId) -> String {
    let address = to.split('#').next().unwrap_or(to);
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let names_a_tenant = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or(pair);
        percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case("tenant")
    };
    let mut link = format!("{path}?");
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !names_a_tenant(pair)) {
        link.push_str(pair);
        link.push('&');
    }
    link.push_str("tenant=");
    link.push_str(tenant.as_str());
    link
}

/// `100,000`: long numbers are read in groups.
fn group_digits(number: usize) -> String {
    let digits = number.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<TenantId> {
        (0..count).map(|n| TenantId::parse(&format!("tenant-{n:06}.example")).unwrap()).collect()
    }

    #[test]
    fn a_link_keeps_the_deep_address_and_sets_the_tenant() {
        let tenant = TenantId::parse("acme.com").unwrap();
        for (to, link) in [
            ("/devportal/apis", "/devportal/apis?tenant=acme.com"),
            ("/devportal/apis?", "/devportal/apis?tenant=acme.com"),
            ("/p?tenant=other", "/p?tenant=acme.com"),
            ("/p?a=1&tenant=other&b=%2F+x", "/p?a=1&b=%2F+x&tenant=acme.com"),
            ("/p?Tenant=x&TENANT=y&tenant", "/p?tenant=acme.com"),
            ("/p?%74enant=x", "/p?tenant=acme.com"),
            ("/p?tenants=2&x=tenant", "/p?tenants=2&x=tenant&tenant=acme.com"),
            ("/p?a=1#part", "/p?a=1&tenant=acme.com"),
        ] {
            assert_eq!(deep_link(to, &tenant), link, "{to}");
        }
    }

    #[test]
    fn the_list_is_cut_into_pages() {
        let all = names(123);
        for (page, shown, first) in [
            (1, 50, "tenant-000000.example"),
            (3, 23, "tenant-000100.example"),
            (99, 23, "tenant-000100.example"),
        ] {
            let listing = TenantPage::new(&all, TenantQuery::parse(&format!("page={page}")), "/");
            assert_eq!(
                (listing.count, listing.last_page, listing.tenants.len()),
                (123, 3, shown),
                "page {page}"
            );
            assert_eq!(listing.tenants[0].0.as_str(), first);
        }
    }

    #[test]
    fn searching_finds_parts_of_names_in_any_case() {
        let all = names(100_000);
        for (query, count) in [
            ("", 100_000),
            ("T-00001", 10),
            (" tenant-099999.EXAMPLE ", 1),
            ("unknown", 0),
            ("a b", 0),
            ("é", 0),
        ] {
            let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let listing = TenantPage::new(&all, TenantQuery::parse(&format!("q={encoded}")), "/");
            assert_eq!(listing.count, count, "{query:?}");
            assert!(listing.tenants.len() <= PAGE_SIZE);
        }
    }

    #[test]
    fn odd_queries_are_tolerated() {
        for query in
            ["", "page=0", "page=-1", "page=x", "page=99999999999999999999999", "q=%ff", "&&==", "to="]
        {
            let listing = TenantPage::new(
                &names(3),
                TenantQuery { query: String::new(), ..TenantQuery::parse(query) },
                "/",
            );
            assert_eq!((listing.page, listing.tenants.len()), (1, 3), "{query}");
        }
        assert_eq!(
            TenantQuery::parse(&format!("q={}", "é".repeat(9999))).query.chars().count(),
            MAX_QUERY_CHARS
        );
    }

    #[test]
    fn without_an_address_a_tenant_leads_to_the_start_page() {
        let listing = TenantPage::new(&names(1), TenantQuery::parse(""), "/devportal/apis");
        assert_eq!(listing.tenants[0].1, "/devportal/apis?tenant=tenant-000000.example");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, written) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (100_000, "100,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(group_digits(number), written);
        }
    }
}
