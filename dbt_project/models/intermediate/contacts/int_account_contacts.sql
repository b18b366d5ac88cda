with

contacts as (
    select
        days.as_of_date,
        logged.account_id,
        logged.channel,
        logged.direction,
        logged.contact_date,
        {{ days_between('logged.contact_date', 'days.as_of_date') }} as age_days,
        {{ is_engaged('logged.outcome') }} as is_engaged,
        {{ is_unreached('logged.outcome') }} as is_unreached,
        {{ is_right_party('logged.outcome') }} as is_right_party
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_contacts') }} as logged
        on logged.contact_date <= days.as_of_date
        and {{ known_at('logged', 'days.cutoff_utc') }}

    union all

    select
        as_of_date,
        account_id,
        channel,
        'outbound' as direction,
        contact_date,
        {{ days_between('contact_date', 'as_of_date') }} as age_days,
        last_engaged_at_utc is not null as is_engaged,
        is_unreached,
        false as is_right_party
    from {{ ref('int_platform_contacts') }}
    where account_id is not null
)

-- Counted once a window, not added up by spans first: a count passes over what it leaves out, so that
-- sixty of them cost less than a second grouping.
select
    as_of_date,
    account_id,
    {%- for length in windows() %}
    {%- for channel in channels() %}
    {%- for outcome, condition in [
        ('contacts', ''), ('reacted', 'and is_engaged'), ('unreached', 'and is_unreached')
    ] %}
    cast(
        count(
            case
                when age_days < {{ length }} and direction = 'outbound'
                    and channel = '{{ channel }}' {{ condition }} then 1
            end
        ) as int
    ) as {{ contact_column(channel, outcome, length) }},
    {%- endfor %}
    {%- endfor %}
    cast(count(case when age_days < {{ length }} and direction = 'inbound' then 1 end) as int)
        as inbound_contacts_{{ length }}d,
    cast(count(case when age_days < {{ length }} and is_right_party then 1 end) as int)
        as right_party_contacts_{{ length }}d,
    {%- endfor %}
    cast(max(case when is_right_party then contact_date end) as date) as last_right_party_date
from contacts
group by as_of_date, account_id
