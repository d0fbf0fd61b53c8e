//! TPC-DS.

use std::collections::BTreeMap;

use tpcdsgen::config::{Session, SessionBuilder};
use tpcdsgen_arrow::{
    CallCenterArrow, CatalogPageArrow, CatalogReturnsArrow, CatalogSalesArrow, CustomerAddressArrow, CustomerArrow,
    CustomerDemographicsArrow, DateDimArrow, HouseholdDemographicsArrow, IncomeBandArrow, InventoryArrow, ItemArrow,
    PromotionArrow, ReasonArrow, ShipModeArrow, StoreArrow, StoreReturnsArrow, StoreSalesArrow, TimeDimArrow,
    WarehouseArrow, WebPageArrow, WebReturnsArrow, WebSalesArrow, WebSiteArrow,
};

use super::{Suite, declared, queries};
use crate::Fault;
use crate::governed::Policy;

/// Some tables have as many rows in any scale.
const SCALE: f64 = 0.01;

const POLICIES: &[(&str, Policy)] = &[
    (
        "customer",
        Policy {
            rows: Some("c_birth_country IS NULL OR c_birth_country NOT LIKE 'C%'"),
            masks: &[
                ("c_email_address", "NULL"),
                ("c_last_name", "left(c_last_name, 1)"),
                (
                    "c_birth_year",
                    "CASE WHEN c_birth_year < 1950 THEN 1950 ELSE c_birth_year END",
                ),
            ],
        },
    ),
    (
        "customer_address",
        Policy {
            rows: None,
            masks: &[("ca_street_name", "'a street'"), ("ca_zip", "left(ca_zip, 2)")],
        },
    ),
    (
        "item",
        Policy {
            rows: Some("i_category IS DISTINCT FROM 'Music'"),
            masks: &[("i_item_desc", "left(i_item_desc, 10)"), ("i_wholesale_cost", "NULL")],
        },
    ),
    (
        "store_sales",
        Policy {
            rows: Some("ss_quantity < 95 AND ss_item_sk IN (SELECT i_item_sk FROM item WHERE i_category <> 'Music')"),
            masks: &[("ss_net_profit", "round(ss_net_profit, 0)")],
        },
    ),
    (
        "web_sales",
        Policy {
            rows: Some("ws_quantity < 90"),
            masks: &[],
        },
    ),
    (
        "catalog_sales",
        Policy {
            rows: Some("CASE WHEN cs_quantity BETWEEN 20 AND 25 THEN false ELSE cs_quantity IS NOT NULL END"),
            masks: &[(
                "cs_coupon_amt",
                "CASE WHEN cs_coupon_amt > 100 THEN 100 ELSE cs_coupon_amt END",
            )],
        },
    ),
];

pub(super) fn suite() -> Result<Suite, Fault> {
    let session: Session = SessionBuilder::new().with_scale_factor(SCALE).build()?;
    let mut tables = BTreeMap::new();
    macro_rules! add {
        ($($name:literal $rows:ident),*) => {
            $(
                tables.insert($name.to_string(), declared($rows::new(session.clone()))?);
            )*
        };
    }
    add!(
        "call_center" CallCenterArrow,
        "catalog_page" CatalogPageArrow,
        "catalog_returns" CatalogReturnsArrow,
        "catalog_sales" CatalogSalesArrow,
        "customer" CustomerArrow,
        "customer_address" CustomerAddressArrow,
        "customer_demographics" CustomerDemographicsArrow,
        "date_dim" DateDimArrow,
        "household_demographics" HouseholdDemographicsArrow,
        "income_band" IncomeBandArrow,
        "inventory" InventoryArrow,
        "item" ItemArrow,
        "promotion" PromotionArrow,
        "reason" ReasonArrow,
        "ship_mode" ShipModeArrow,
        "store" StoreArrow,
        "store_returns" StoreReturnsArrow,
        "store_sales" StoreSalesArrow,
        "time_dim" TimeDimArrow,
        "warehouse" WarehouseArrow,
        "web_page" WebPageArrow,
        "web_returns" WebReturnsArrow,
        "web_sales" WebSalesArrow,
        "web_site" WebSiteArrow
    );
    Ok(Suite {
        name: "TPC-DS",
        tables,
        queries: queries("tpcds")?,
        policies: POLICIES,
    })
}
