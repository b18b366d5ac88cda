with

days as (
    select as_of_date, cutoff_utc from {{ ref('int_as_of_dates') }}
),

blacklist as (
    select
        listings.*,
        {{ known_interval(['listings.customer_id', 'listings.listed_date']) }}
    from {{ ref('stg_blacklist') }} as listings
),

fraud_reports as (
    select
        reports.*,
        {{ known_interval(['reports.report_id']) }}
    from {{ ref('stg_fraud_reports') }} as reports
),

registry as (
    select
        listings.*,
        {{ known_interval(
            ['listings.phone_token', 'listings.registry', 'listings.listed_date']
        ) }}
    from {{ ref('stg_dnd_registry') }} as listings
),

blacklisted as (
    select distinct days.as_of_date, blacklist.customer_id
    from days
    inner join blacklist
        on blacklist.listed_date <= days.as_of_date
        and (blacklist.delisted_date is null or blacklist.delisted_date > days.as_of_date)
        and {{ known_at('blacklist', 'days.cutoff_utc') }}
),

reported as (
    select distinct days.as_of_date, fraud_reports.customer_id
    from days
    inner join fraud_reports
        on fraud_reports.reported_date <= days.as_of_date
        and fraud_reports.status in ('open', 'confirmed')
        and {{ known_at('fraud_reports', 'days.cutoff_utc') }}
),

listed as (
    select distinct days.as_of_date, registry.phone_token
    from days
    inner join registry
        on registry.listed_date <= days.as_of_date
        and (registry.delisted_date is null or registry.delisted_date > days.as_of_date)
        and {{ known_at('registry', 'days.cutoff_utc') }}
)

select
    customers.as_of_date,
    customers.customer_id,
    cast(blacklisted.customer_id is not null as boolean) as is_blacklisted,
    cast(reported.customer_id is not null as boolean) as has_open_fraud_report,
    cast(listed.phone_token is not null as boolean) as is_dnd_listed
from {{ ref('int_customer_standing') }} as customers
left join blacklisted
    on customers.as_of_date = blacklisted.as_of_date
    and customers.customer_id = blacklisted.customer_id
left join reported
    on customers.as_of_date = reported.as_of_date
    and customers.customer_id = reported.customer_id
left join listed
    on customers.as_of_date = listed.as_of_date
    and customers.phone_token = listed.phone_token
