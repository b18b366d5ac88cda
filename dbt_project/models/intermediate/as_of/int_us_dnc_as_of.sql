with

days as (
    select as_of_date, cutoff_utc from {{ ref('int_as_of_dates') }}
),

-- The bytes of a list may come again under a later date: the same numbers, said anew.
deliveries as (
    select file_id, business_date, known_at
    from {{ ref('stg_ingested_files') }}
    where feed = 'us_dnc_list' and status in ('ingested', 'duplicate')
),

listings as (
    select
        lists.phone_token,
        lists.area_code,
        deliveries.business_date as stated_date,
        'A' as change,
        deliveries.known_at
    from {{ ref('stg_us_dnc_list') }} as lists
    inner join deliveries on lists._file_id = deliveries.file_id
),

statements as (
    select phone_token, area_code, stated_date, change, known_at from listings
    union all
    select phone_token, area_code, changed_date as stated_date, change, _known_at as known_at
    from {{ ref('stg_us_dnc_changes') }}
),

newest_lists as (
    select
        days.as_of_date,
        listings.area_code,
        max(listings.stated_date) as list_date
    from days
    inner join listings
        on listings.stated_date <= days.as_of_date and listings.known_at <= days.cutoff_utc
    group by days.as_of_date, listings.area_code
),

ranked as (
    select
        days.as_of_date,
        statements.*,
        row_number() over (
            partition by days.as_of_date, statements.phone_token
            -- Added and deleted on one day: the registration counts.
            order by
                statements.stated_date desc nulls last,
                statements.change asc nulls last,
                statements.area_code asc nulls last  -- unique: what still ties says the same
        ) as recency
    from days
    inner join statements
        on statements.stated_date <= days.as_of_date and statements.known_at <= days.cutoff_utc
)

select
    ranked.as_of_date,
    ranked.phone_token,
    ranked.area_code,
    ranked.stated_date,
    newest_lists.list_date
from ranked
left join newest_lists
    on ranked.as_of_date = newest_lists.as_of_date and ranked.area_code = newest_lists.area_code
where
    ranked.recency = 1
    and ranked.change = 'A'
    and (newest_lists.list_date is null or ranked.stated_date >= newest_lists.list_date)
