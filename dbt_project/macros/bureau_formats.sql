{#- What a Metro 2 account status says (field 17A; words after the CFPB's annotationLookups.ts). -#}
{% macro metro2_status_meaning(status) -%}
    case {{ status }}
        when '05' then 'transferred'
        when '11' then 'current'
        when '13' then 'paid or closed'
        when '61' then 'paid, was a voluntary surrender'
        when '62' then 'paid, was a collection account'
        when '63' then 'paid, was a repossession'
        when '64' then 'paid, was a charge-off'
        when '65' then 'paid, a foreclosure was started'
        when '71' then '30-59 days past due'
        when '78' then '60-89 days past due'
        when '80' then '90-119 days past due'
        when '82' then '120-149 days past due'
        when '83' then '150-179 days past due'
        when '84' then '180 or more days past due'
        when '88' then 'claim filed with government'
        when '89' then 'deed in lieu of foreclosure'
        when '93' then 'assigned to collections'
        when '94' then 'foreclosure completed'
        when '95' then 'voluntary surrender'
        when '96' then 'repossession'
        when '97' then 'charge-off'
        when 'DA' then 'delete'
        when 'DF' then 'delete, fraud'
    end
{%- endmacro %}

{#- Months past due, 0 to 6: by the status, or by the payment rating of a status that says nothing of
    it; null where neither does (collection, charge-off, …). -#}
{% macro metro2_months_late(status, rating) -%}
    case
        when {{ status }} = '11' then 0
        when {{ status }} = '71' then 1
        when {{ status }} = '78' then 2
        when {{ status }} = '80' then 3
        when {{ status }} = '82' then 4
        when {{ status }} = '83' then 5
        when {{ status }} = '84' then 6
        when {{ rating }} in ('0', '1', '2', '3', '4', '5', '6') then cast({{ rating }} as int)
    end
{%- endmacro %}

{#- What the asset classification of TUDF (TL tag 26) says. -#}
{% macro tudf_asset_class_meaning(code) -%}
    case {{ code }}
        when '01' then 'standard'
        when '02' then 'sub-standard'
        when '03' then 'doubtful'
        when '04' then 'loss'
        when '05' then 'special mention'
    end
{%- endmacro %}
