{#- What int_product_signals tells apart, and the word for one of them, in the order of the columns
    that are made of it. -#}
{% macro product_signals() -%}
    {{ return([
        ('views', 'view'), ('calculations', 'calculation'), ('applications', 'application'),
        ('enquiries', 'enquiry'), ('offers', 'offer'), ('accepts', 'accept'), ('declines', 'decline'),
    ]) }}
{%- endmacro %}
