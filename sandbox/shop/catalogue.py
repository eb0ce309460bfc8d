"""What Quillbrook Tea House sells. Invented for this sandbox; texts, names and pictures are its own."""

from __future__ import annotations

from dataclasses import dataclass

from .pictures import Picture

TEA = "Tea"
TEAWARE = "Teaware"
GIFT = "Gift box"

#: Category name → (product class, description), in the order of the menu.
CATEGORIES = {
    "Black tea": (TEA, "Full cups for mornings that need a push, and evenings that need none."),
    "Green & white tea": (TEA, "Picked early, handled little. Let the water cool before you pour."),
    "Oolong": (TEA, "Half way between green and black, and in no hurry to arrive at either."),
    "Herbal infusions": (TEA, "No tea leaf in sight: flowers, fruit and roots, free of caffeine."),
    "Teaware": (TEAWARE, "Things to brew with that age as well as you do."),
    "Gift boxes": (GIFT, "Packed by hand, with a card you can write on."),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One product. The UPC is its key: seeding twice changes nothing."""

    upc: str
    title: str
    category: str
    price: str  #: US dollars
    stock: int
    description: str
    picture: Picture


def _tin(body: str, ground: str, motif: str) -> Picture:
    return Picture("tin", body, ground, motif)


def _pouch(body: str, ground: str, motif: str) -> Picture:
    return Picture("pouch", body, ground, motif)


ITEMS = [
    # Black tea
    Item(
        "QB-101",
        "Millrace Breakfast",
        "Black tea",
        "12.50",
        140,
        "Our house blend: malty, brisk and strong enough to take milk without flinching. "
        "One spoon, boiling water, four minutes by the kitchen clock.",
        _tin("#7a2e2a", "#f3dccb", "sun"),
    ),
    Item(
        "QB-102",
        "Smoke & Slate",
        "Black tea",
        "14.00",
        60,
        "Dried over pine embers until it smells like a walk home in November. Good with cheese, "
        "better with rain on the roof.",
        _tin("#2f3a44", "#d9dee2", "flame"),
    ),
    Item(
        "QB-103",
        "Copper Kettle Assam",
        "Black tea",
        "13.00",
        85,
        "Tippy second-flush leaves with a cup the colour of a new penny. Round, honeyed, "
        "and forgiving if you forget it in the pot.",
        _tin("#a5542b", "#f6e2cf", "leaf"),
    ),
    Item(
        "QB-104",
        "Rainy Ledger Earl Grey",
        "Black tea",
        "12.50",
        110,
        "Bergamot peel and cornflower on a light black base. The tea our bookkeeper drinks when "
        "the columns refuse to add up.",
        _pouch("#3f4f7d", "#dfe3f0", "citrus"),
    ),
    Item(
        "QB-105",
        "High Meadow Spring Flush",
        "Black tea",
        "18.00",
        32,
        "From the first warm fortnight of the year: pale, floral, with the muscat note that "
        "people cross continents for.",
        _tin("#5d7a3a", "#eef0d8", "mountain"),
    ),
    Item(
        "QB-106",
        "Ferryman's Blend",
        "Black tea",
        "11.50",
        95,
        "Dark, quick and plain. Brewed by the flask for people who start before the sun does.",
        _pouch("#24405a", "#d5e2ea", "waves"),
    ),
    Item(
        "QB-107",
        "Orchard Cart",
        "Black tea",
        "13.00",
        70,
        "Black tea with dried apple, cinnamon bark and a curl of orange peel. Tastes like the "
        "last good Saturday of autumn.",
        _pouch("#93392f", "#f7e3d2", "apple"),
    ),
    Item(
        "QB-108",
        "Midnight Inventory",
        "Black tea",
        "13.50",
        48,
        "A late-shift blend of three strong teas and a little cocoa shell. Do not count on sleep.",
        _tin("#2b2545", "#dcd7ea", "moon"),
    ),
    # Green & white tea
    Item(
        "QB-201",
        "First Page Sencha",
        "Green & white tea",
        "15.00",
        75,
        "Steamed within hours of picking; grassy, sweet, a little like peas from the pod. "
        "Seventy degrees, one minute, three times over.",
        _tin("#4c7d55", "#e2efdf", "leaf"),
    ),
    Item(
        "QB-202",
        "Paper Crane Jasmine",
        "Green & white tea",
        "16.00",
        66,
        "Green leaves laid among night-opening jasmine, five nights in a row. The flowers leave, "
        "their scent stays.",
        _tin("#7c9a8e", "#f4efe3", "flower"),
    ),
    Item(
        "QB-203",
        "Grain Loft Genmaicha",
        "Green & white tea",
        "13.00",
        90,
        "Green tea with toasted rice. Warm, nutty, and the closest a cup comes to supper.",
        _pouch("#8a7a3c", "#f3ecd2", "grain"),
    ),
    Item(
        "QB-204",
        "Quiet Pond Gunpowder",
        "Green & white tea",
        "11.00",
        120,
        "Tight little pearls that unroll as you watch. Brisk on its own, splendid with fresh mint.",
        _pouch("#3d6b66", "#d8ebe7", "waves"),
    ),
    Item(
        "QB-205",
        "Moss Step Matcha",
        "Green & white tea",
        "26.00",
        24,
        "Stone-ground leaf, thirty grams, for a bowl as green as the north side of a wall. "
        "Whisk briskly and drink at once.",
        _tin("#6b8f2f", "#edf3d6", "leaf"),
    ),
    Item(
        "QB-206",
        "Snow Margin White Peony",
        "Green & white tea",
        "19.00",
        40,
        "Two leaves and a bud, dried in thin sunlight and left alone. Melon, hay and patience.",
        _tin("#9aa7b4", "#f2f4f6", "flower"),
    ),
    Item(
        "QB-207",
        "Silver Bookmark",
        "Green & white tea",
        "28.00",
        0,
        "Buds only, picked on perhaps ten mornings a year. When it is gone it is gone; "
        "the next picking comes in spring.",
        _tin("#7e8892", "#e9ecef", "moon"),
    ),
    # Oolong
    Item(
        "QB-301",
        "Lantern Street Oolong",
        "Oolong",
        "17.00",
        55,
        "Lightly rolled, lightly roasted, with a creamy finish that lasts to the end of the street.",
        _tin("#b0662c", "#f7e7d2", "lantern"),
    ),
    Item(
        "QB-302",
        "Amber Stair",
        "Oolong",
        "18.00",
        44,
        "Honey, stone fruit, warm wood. Every pouring takes you one step further down.",
        _tin("#b8802a", "#f8ecd0", "mountain"),
    ),
    Item(
        "QB-303",
        "Iron Bell",
        "Oolong",
        "16.50",
        50,
        "A dark-roasted classic that rings for a long time. Six infusions without losing its voice.",
        _pouch("#4a3b34", "#e7ddd5", "flame"),
    ),
    Item(
        "QB-304",
        "Orchid Post",
        "Oolong",
        "19.00",
        36,
        "High-grown and hardly oxidised; smells of the flower it has never met.",
        _tin("#8a5a8f", "#f1e4f1", "flower"),
    ),
    Item(
        "QB-305",
        "Slow Roast No. 4",
        "Oolong",
        "17.50",
        41,
        "Roasted four times over charcoal with a month of rest between. Caramel crust, mineral heart.",
        _pouch("#6b4226", "#f0e0cf", "flame"),
    ),
    # Herbal infusions
    Item(
        "QB-401",
        "Linden Bench",
        "Herbal infusions",
        "10.50",
        80,
        "Lime blossom and lemon balm, for the quarter of an hour under the tree in front of the house.",
        _pouch("#8c9a3b", "#f1f3d6", "leaf"),
    ),
    Item(
        "QB-402",
        "Chamomile Inkwell",
        "Herbal infusions",
        "10.00",
        105,
        "Whole flower heads, nothing else. For the end of the letter, and the end of the day.",
        _pouch("#d0a32b", "#fbf2d3", "flower"),
    ),
    Item(
        "QB-403",
        "Peppermint Hour",
        "Herbal infusions",
        "9.50",
        130,
        "Cut long so that the oil stays in the leaf. Clears the table, and the head.",
        _pouch("#2f7f6b", "#d6efe8", "leaf"),
    ),
    Item(
        "QB-404",
        "Hearth Rooibos",
        "Herbal infusions",
        "10.50",
        88,
        "Red bush with vanilla and roasted almond. Children ask for it by name.",
        _tin("#a33e24", "#f8ddd0", "flame"),
    ),
    Item(
        "QB-405",
        "Rosehip Lane",
        "Herbal infusions",
        "11.00",
        72,
        "Tart hips, hawthorn and a few petals, gathered along the hedge behind the mill.",
        _pouch("#b23a55", "#f9dfe4", "berry"),
    ),
    Item(
        "QB-406",
        "Ginger Stile",
        "Herbal infusions",
        "11.00",
        68,
        "Root ginger, lemongrass and black pepper. Gets you over the hill and down the other side.",
        _tin("#c27a1e", "#fbe9cd", "sun"),
    ),
    Item(
        "QB-407",
        "Verbena Sill",
        "Herbal infusions",
        "11.50",
        57,
        "Lemon verbena, dried on the sill and crumbled by hand. Hot in winter, over ice in June.",
        _pouch("#9aa82e", "#f4f6d4", "citrus"),
    ),
    Item(
        "QB-408",
        "Hibiscus Noon",
        "Herbal infusions",
        "11.00",
        64,
        "Ruby red and sharp as a whistle. Made for tall glasses and short shadows.",
        _tin("#a61e4d", "#fadbe5", "flower"),
    ),
    # Teaware
    Item(
        "QB-501",
        "Weir Teapot, 0.8 l",
        "Teaware",
        "48.00",
        18,
        "Stoneware with a spout that does not drip, which took us eleven attempts. Holds four cups.",
        Picture("teapot", "#3f6f7a", "#e1edef"),
    ),
    Item(
        "QB-502",
        "Heron Cup",
        "Teaware",
        "14.00",
        90,
        "Thin at the lip, heavy at the foot, 0.25 l. Stacks, and survives the dishwasher.",
        Picture("cup", "#c7d3d4", "#eef2f2"),
    ),
    Item(
        "QB-503",
        "Window Mug with Infuser",
        "Teaware",
        "22.00",
        45,
        "Double-walled glass with a steel basket and a lid that turns into a saucer.",
        Picture("glass", "#b86b2b", "#f6ebdf"),
    ),
    Item(
        "QB-504",
        "Brass Leaf Scoop",
        "Teaware",
        "9.00",
        150,
        "Measures one cup, exactly. Hangs on the tin so that nobody asks where it is.",
        Picture("scoop", "#b98d2f", "#f7f0dd"),
    ),
    Item(
        "QB-505",
        "Bamboo Whisk",
        "Teaware",
        "18.00",
        33,
        "Eighty tines, split by hand from one piece of bamboo. Rinse it, stand it, never soap it.",
        Picture("whisk", "#cda662", "#e9f0df"),
    ),
    Item(
        "QB-506",
        "Gooseneck Kettle, 1 l",
        "Teaware",
        "64.00",
        12,
        "Pours where you look. Steel, for gas and induction, with a thermometer in the lid.",
        Picture("kettle", "#44515c", "#e4e7ea"),
    ),
    Item(
        "QB-507",
        "Mill Towel",
        "Teaware",
        "12.00",
        76,
        "Washed linen with a woven stripe. Dries a pot, covers a loaf, waits for the spill.",
        Picture("towel", "#8b3a3a", "#f4ece4"),
    ),
    Item(
        "QB-508",
        "Millstone Trivet",
        "Teaware",
        "19.00",
        38,
        "Cast iron in the shape of our old runner stone. Saves the table, steadies the pot.",
        Picture("trivet", "#3a3f45", "#eee9e2"),
    ),
    # Gift boxes
    Item(
        "QB-601",
        "The Reading Box",
        "Gift boxes",
        "45.00",
        30,
        "Three quiet teas, a Heron Cup and a blank bookmark, packed for somebody with a tall pile "
        "beside the bed.",
        Picture("box", "#3b5d50", "#e6efe9", "leaf"),
    ),
    Item(
        "QB-602",
        "Four Tins for Four Moods",
        "Gift boxes",
        "42.00",
        26,
        "Awake, curious, patient, asleep: one small tin for each. You decide the order.",
        Picture("box", "#8e4a3c", "#f6e6dd", "sun"),
    ),
    Item(
        "QB-603",
        "The Long Night Box",
        "Gift boxes",
        "39.00",
        22,
        "Hearth Rooibos, Chamomile Inkwell, Linden Bench and two beeswax candles for the shortest days.",
        Picture("box", "#2c3560", "#e0e3f1", "moon"),
    ),
    Item(
        "QB-604",
        "Letterbox Sampler",
        "Gift boxes",
        "16.00",
        60,
        "Eight teas, three cups of each, flat enough to be posted through a door.",
        Picture("box", "#b5893a", "#f8f0dc", "flower"),
    ),
]
