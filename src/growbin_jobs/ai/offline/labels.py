"""Maps ImageNet's 1000 classes to waste, and lists the items that the classifier can answer.

The numbers are those of ILSVRC 2012, in the order that every ImageNet model uses.
"""

from typing import Final

from growbin_jobs.messages import GENERAL_ITEM, Category

#: Everything that the classifier can answer, with its category; each has a rule in ``rules/``.
CATEGORY_OF: Final[dict[str, Category]] = {
    "pet_bottle": "plastic",
    "plastic_container": "plastic",
    "plastic_bag": "plastic",
    "styrofoam_tray": "plastic",
    "plastic_item": "plastic",
    "glass_bottle": "glass",
    "glass_jar": "glass",
    "aluminum_can": "metal",
    "steel_can": "metal",
    "metal_item": "metal",
    "cardboard": "paper",
    "envelope": "paper",
    "magazine": "paper",
    "newspaper": "paper",
    "paper": "paper",
    GENERAL_ITEM: "general",
}

OFFLINE_ITEMS: Final = tuple(CATEGORY_OF)

#: The answer where the category is clear and the item is not.
GENERIC_ITEM: Final[dict[Category, str]] = {
    "plastic": "plastic_item",
    "glass": "glass_bottle",
    "metal": "metal_item",
    "paper": "paper",
    "general": GENERAL_ITEM,
}

#: What the head never saw but ImageNet names: item → its class, and the probability from which it is believed.
#: Foam trays are trays to ImageNet; of 312 plastic photos in TrashNet, 2 reach this without being one.
NAMED_BY_IMAGENET: Final[dict[str, tuple[int, float]]] = {"styrofoam_tray": (868, 0.4)}

#: ImageNet's classes that waste is taken for, right or wrong: packaging, and what its shapes remind the network of.
WASTE_LIKE: Final[dict[int, str]] = {
    412: "ashcan", 419: "Band Aid", 435: "bathtub", 438: "beaker", 440: "beer bottle", 441: "beer glass",
    446: "binder", 450: "bobsled", 455: "bottlecap", 463: "bucket", 473: "can opener", 478: "carton",
    481: "cassette", 499: "cleaver", 503: "cocktail shaker", 504: "coffee mug", 519: "crate", 529: "diaper",
    549: "envelope", 551: "face powder", 563: "fountain pen", 572: "goblet", 585: "hair spray",
    591: "handkerchief", 592: "hard disc", 600: "hook", 618: "ladle", 622: "lens cap", 626: "lighter",
    631: "lotion", 633: "loupe", 636: "mailbag", 647: "measuring cup", 653: "milk can", 659: "mixing bowl",
    662: "modem", 674: "mousetrap", 680: "nipple", 686: "oil filter", 692: "packet", 700: "paper towel",
    709: "pencil box", 710: "pencil sharpener", 711: "perfume", 712: "Petri dish", 720: "pill bottle",
    725: "pitcher", 728: "plastic bag", 737: "pop bottle", 748: "purse", 767: "rubber eraser", 769: "rule",
    771: "safe", 773: "saltshaker", 784: "screwdriver", 787: "shield", 793: "shower cap", 804: "soap dispenser",
    809: "soup bowl", 818: "spotlight", 838: "sunscreen", 844: "switch", 845: "syringe", 855: "thimble",
    868: "tray", 876: "tub", 883: "vase", 893: "wallet", 896: "washbasin", 898: "water bottle", 899: "water jug",
    901: "whiskey jug", 902: "whistle", 907: "wine bottle", 916: "web site", 917: "comic book",
    918: "crossword puzzle", 921: "book jacket", 922: "menu", 923: "plate", 966: "red wine", 968: "cup",
    999: "toilet tissue",
}  # fmt: skip
