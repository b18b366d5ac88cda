with

logged as (
    select
        days.as_of_date,
        contacts.account_id,
        contacts.channel,
        contacts.direction,
        contacts.outcome,
        contacts.contact_date,
        {{ days_between('contacts.contact_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_contacts') }} as contacts
        on contacts.contact_date <= days.as_of_date
        and {{ known_at('contacts', 'days.cutoff_utc') }}
),

sent as (
    select
        as_of_date,
        account_id,
        channel,
        'outbound' as direction,
        cast(null as string) as outcome,
        contact_date,
        {{ days_between('contact_date', 'as_of_date') }} as age_days
    from {{ ref('int_platform_contacts') }}
    where account_id is not null
),

contacts as (
    select * from logged
    union all
    select * from sent
)

select
    as_of_date,
    account_id,
    {%- for channel in channels() %}
    cast(
        sum(
            case
                when channel = '{{ channel }}' and direction = 'outbound' and age_days < 30 then 1
                else 0
            end
        ) as int
    ) as contacts_{{ channel }}_30d,
    {%- endfor %}
    cast(sum(case when {{ is_right_party('outcome') }} and age_days < 90 then 1 else 0 end) as int)
        as right_party_contacts_90d,
    cast(max(case when {{ is_right_party('outcome') }} then contact_date end) as date)
        as last_right_party_date
from contacts
group by as_of_date, account_id
