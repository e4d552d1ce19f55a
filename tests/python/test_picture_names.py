from base64 import b64encode

import pytest

from plugins.filter.picture_names import names_in, picture_names

HEADER = 'animal_name,lat,animal_images'
TEXT = f'{HEADER}\r\nRosie,1,"static/Rosie, asleep.jpg \n"\r\nOtto,2,\r\nNori,3,static\\nori.jpg\r\n'
PICTURES = ['static/Rosie, asleep.jpg', 'static/nori.jpg']


def listed(content: bytes) -> list[str]:
    return sorted(filter(None, names_in(b64encode(content).decode())))


@pytest.mark.parametrize(
    'content',
    [
        TEXT.encode(),
        TEXT.encode('utf-8-sig'),
        TEXT.encode('utf-16'),
        b'\xfe\xff' + TEXT.encode('utf-16-be'),
        TEXT.replace(HEADER, 'Animal name,LAT,Animal Images').encode(),
        f',,,\r\n\r\n{TEXT}'.encode(),
        b'sep=;\r\n"animal_name";"lat";"animal_images"\r\nRosie;1,5;"static/Rosie, asleep.jpg"\r\nNori;3;static/nori.jpg;;\r\n',
        b'animal_images\tlat\nstatic/nori.jpg\t1\nstatic/Rosie, asleep.jpg\t2\n',
    ],
)
def test_lists_the_pictures_of_a_file_from_a_spreadsheet(content):
    assert listed(content) == PICTURES


@pytest.mark.parametrize('content', [b'', b'\r\n', b'PK\x03\x04\x00xl/', b'\xff\xd8\xff\xe0\x00', b'name,lat\nOtto,1\n', b'\xff\xfe\x00'])
def test_lists_nothing_in_a_file_of_another_kind(content):
    assert listed(content) == []


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('static/rosie.jpg', 'static/rosie.jpg'),
        ('Static\\ROSIE.JPG', 'static/rosie.jpg'),
        ('./static/rosie.jpg', 'static/rosie.jpg'),
        ('se\u0301bastien.jpg', 's\u00e9bastien.jpg'),
        ('otto.jpg', None),
        ('static', None),
        ('', None),
        ('../outside.jpg', None),
        ('static/../../outside.jpg', None),
        ('/etc/hostname', None),
    ],
)
def test_finds_the_file_that_a_name_means(tmp_path, name, file):
    folder = tmp_path / 'data'
    (folder / 'static').mkdir(parents=True)
    for path in ('static/rosie.jpg', 's\u00e9bastien.jpg', '../outside.jpg'):
        (folder / path).touch()
    content = f'animal_images,lat\n{name},1\n'.encode()
    assert picture_names(b64encode(content).decode(), str(folder)) == ([file] if file else [])


def test_prefers_the_exact_name(tmp_path):
    for name in ('ROSIE.jpg', 'rosie.jpg'):
        (tmp_path / name).touch()
    content = b'animal_images\nrosie.jpg\n'
    assert picture_names(b64encode(content).decode(), str(tmp_path)) == ['rosie.jpg']
